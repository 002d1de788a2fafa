"""Settings from the environment and `.env`, checked as a whole before anything starts."""

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
from app.kit.environment import (
    EnvironmentSource,
    FileSource,
    groups_of,
    unknown_variables,
    variable_of,
)
from app.kit.http.settings import HttpSettings


class SettingsError(ValueError):
    """The environment does not configure the service; names each variable, shows no value."""


class LogSettings(BaseModel):
    """How the service logs (`LOG_…`)."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    format: Literal["json", "console"] = "json"


class MetricsSettings(BaseModel):
    """Where the process tells its metrics (`METRICS_…`): nowhere, unless a port is set."""

    port: int | None = Field(default=None, ge=1, le=65_535)
    host: IPvAnyAddress = IPv4Address("127.0.0.1")


class DevelopmentDefaults(Protocol):
    """A function that a class holds: type checkers would take a `Callable` for a method."""

    def __call__(self) -> dict[str, Any]:
        """Return values of settings."""
        ...


class KitSettings(BaseSettings):
    """The settings of the kit; a service extends them in `app.settings`.

    A group is one word and reads the variables that begin with it: `database.pool_size` is
    `DATABASE_POOL_SIZE`.
    """

    model_config = SettingsConfigDict(
        env_file=".env",
        # With or without the mark that some editors begin a file with.
        env_file_encoding="utf-8-sig",
        env_ignore_empty=True,
        env_nested_delimiter="_",
        env_nested_max_split=1,
        extra="ignore",
        frozen=True,
        # A value may be a secret: errors name the variable only.
        hide_input_in_errors=True,
    )

    # Values that `load` adds to those of the environment; `app.kit.development` sets it.
    development_defaults: ClassVar[DevelopmentDefaults | None] = None

    # Empty by default so that what is missing is reported by its own name, DATABASE_URL.
    database: DatabaseSettings = Field(default={}, validate_default=True)
    log: LogSettings = LogSettings()
    metrics: MetricsSettings = MetricsSettings()
    http: HttpSettings = HttpSettings()
    docs: bool = True

    # Variables that begin like a group's but that another program reads, such as LOG_DIR.
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
        """Read the environment so that no value keeps the others from being checked."""
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
    def places(self) -> int:
        """How many requests are at work at once: as many as can have a connection, unless set.

        Behind PgBouncer too: how many it lets wait is its own affair, how many of this process
        do is not.
        """
        return self.http.concurrency or self.database.pool_size + self.database.max_overflow

    @classmethod
    def load(cls, **overrides: Any) -> Self:
        """Read the settings, or raise `SettingsError` with one line per wrong variable."""
        lines: list[str] = []
        if KitSettings.development_defaults and "database" not in overrides:
            overrides |= KitSettings.development_defaults()
        try:
            try:
                return cls(**overrides)
            except UnicodeDecodeError as error:
                lines = [f"  .env: is not text in UTF-8 (byte {error.start + 1}): save it as UTF-8"]
                # Every byte is a character of this encoding: the rest is checked as well.
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
                    "Set each in the environment or in .env; .env.example describes them all.",
                ]
            )
        )


def _details(kind: str, message: str, location: tuple[int | str, ...]) -> InitErrorDetails:
    # Any text is a LiteralString here: none of it is formatted.
    error = PydanticCustomError(cast("Any", kind), cast("Any", message))
    return {"type": error, "loc": location, "input": None}


def _explain(model: type[BaseModel], error: ValidationError) -> list[str]:
    lines: list[str] = []
    for problem in error.errors(include_input=False, include_url=False):
        variable, path = variable_of(model, problem["loc"])
        message = "is not set" if problem["type"] == "missing" else problem["msg"]
        message = message.removeprefix("Value error, ")
        if problem["type"] == "model_type" and variable.lower() in groups_of(model):
            message = f"is not a setting by itself; the settings of this group are {variable}_…"
        parts = [part for part in (variable, path, message) if part]
        lines.append("  " + ": ".join(parts))
    return lines
