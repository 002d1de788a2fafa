"""Settings from the environment and `.env`. All are validated before the service starts."""

from ipaddress import IPv4Address
from typing import Any, ClassVar, Literal, Protocol, Self, cast

from pydantic import (
    BaseModel,
    Field,
    IPvAnyAddress,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from app.kit.db.settings import DatabaseSettings
from app.kit.http.authentication import AuthenticationSettings
from app.kit.http.settings import HttpSettings
from app.kit.settings_sources import (
    EnvironmentSource,
    FileSource,
    groups_of,
    unknown_variables,
    variable_of,
)


class SettingsError(ValueError):
    """The configuration is not valid. The message names each variable, and never a value."""


class LogSettings(BaseModel):
    """Log settings (`LOG_…`)."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    format: Literal["json", "console"] = "json"


class MetricsSettings(BaseModel):
    """Settings of the metrics server (`METRICS_…`). It only runs if a port is set."""

    port: int | None = Field(default=None, ge=1, le=65_535)
    host: IPvAnyAddress = IPv4Address("127.0.0.1")


class DevelopmentDefaults(Protocol):
    """A function in a class attribute. Type checkers treat a `Callable` there as a method."""

    def __call__(self) -> dict[str, Any]:
        """Return default values of settings."""
        ...


class KitSettings(AuthenticationSettings):
    """Settings of the kit. A service adds its own in `app.settings`.

    The name of a group is one word, and the prefix of its variables: DATABASE_POOL_SIZE sets
    `database.pool_size`.
    """

    model_config = SettingsConfigDict(
        env_file=".env",
        # UTF-8 with or without a byte order mark.
        env_file_encoding="utf-8-sig",
        env_ignore_empty=True,
        env_nested_delimiter="_",
        env_nested_max_split=1,
        extra="ignore",
        frozen=True,
        # A value may be a secret, so errors do not contain it.
        hide_input_in_errors=True,
    )

    # Returns settings that `load` uses in development. `app.kit.cli.development_database` sets it.
    development_defaults: ClassVar[DevelopmentDefaults | None] = None

    # Empty by default, so that the error names the missing variable, DATABASE_URL.
    database: DatabaseSettings = Field(default={}, validate_default=True)
    log: LogSettings = LogSettings()
    metrics: MetricsSettings = MetricsSettings()
    http: HttpSettings = HttpSettings()
    docs: bool = True

    # Variables of other programs that begin with the name of a group, such as LOG_DIR.
    ignored_variables: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read the environment with sources that report the errors of all variables at once."""
        given = cast("DotEnvSettingsSource", dotenv_settings)
        file = FileSource(settings_cls, given.env_file, given.env_file_encoding)
        return init_settings, EnvironmentSource(settings_cls), file, file_secret_settings

    @model_validator(mode="wrap")
    @classmethod
    def _has_no_unknown_variable(
        cls, values: Any, validate: ModelWrapValidatorHandler[Self]
    ) -> Self:
        problems: list[InitErrorDetails] = []
        if isinstance(values, dict):
            problems += [
                _details("unknown_variable", message, location)
                for location, message in unknown_variables(
                    cls, cast("dict[str, Any]", values), cls.ignored_variables
                )
            ]
        try:
            settings = validate(values)
        except ValidationError as error:
            found = error.errors(include_input=False, include_url=False)
            problems += [_details(each["type"], each["msg"], each["loc"]) for each in found]
        else:
            if not problems:
                return settings
        raise ValidationError.from_exception_data(cls.__name__, problems, hide_input=True)

    @property
    def concurrency_limit(self) -> int:
        """The maximum number of concurrent requests: HTTP_CONCURRENCY, or the size of the pool.

        The default is the same behind PgBouncer, where the process itself has no pool.
        """
        return self.http.concurrency or self.database.pool_size + self.database.max_overflow

    @classmethod
    def load(cls, **overrides: Any) -> Self:
        """Read the settings. Raises `SettingsError` with one line per invalid variable."""
        lines: list[str] = []
        if KitSettings.development_defaults and "database" not in overrides:
            overrides |= KitSettings.development_defaults()
        try:
            try:
                return cls(**overrides)
            except UnicodeDecodeError as error:
                lines = [
                    f"  .env: is not valid UTF-8 at byte {error.start + 1}: save the file as UTF-8"
                ]
                # Latin-1 decodes any byte, so the other variables are validated too.
                readable: dict[str, Any] = {**overrides, "_env_file_encoding": "latin-1"}
                cls(**readable)
        except OSError as error:
            lines = [f"  {error.filename}: cannot be read: {error.strerror}"]
        except ValidationError as error:
            lines += _explain(cls, error)
        raise SettingsError(
            "\n".join(
                [
                    "The configuration is not valid:",
                    *lines,
                    "Set them in the environment or in .env. .env.example documents all variables.",
                ]
            )
        )


def _details(kind: str, message: str, location: tuple[int | str, ...]) -> InitErrorDetails:
    # The casts are safe: Pydantic does not format these strings, as there is no context.
    error = PydanticCustomError(cast("Any", kind), cast("Any", message))
    return {"type": error, "loc": location, "input": None}


def _explain(model: type[BaseModel], error: ValidationError) -> list[str]:
    lines: list[str] = []
    for problem in error.errors(include_input=False, include_url=False):
        variable, path = variable_of(model, problem["loc"])
        message = "is not set" if problem["type"] == "missing" else problem["msg"]
        message = message.removeprefix("Value error, ")
        if problem["type"] == "model_type" and variable.lower() in groups_of(model):
            message = f"is not a setting, but the prefix of a group: {variable}_…"
        parts = [part for part in (variable, path, message) if part]
        lines.append("  " + ": ".join(parts))
    return lines
