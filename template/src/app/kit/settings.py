"""Settings from the environment and `.env`. All are validated before the service starts."""

import re
from collections.abc import Iterator
from difflib import get_close_matches
from ipaddress import IPv4Address
from typing import Any, ClassVar, Literal, Protocol, Self, cast

from pydantic import BaseModel, Field, IPvAnyAddress, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from app.kit.db.settings import DatabaseSettings
from app.kit.http.authentication import AuthenticationSettings
from app.kit.http.settings import HttpSettings

# Variables that platforms set for a server called `database`, such as DATABASE_SERVICE_HOST
# (Kubernetes), DATABASE_PORT_5432_TCP_ADDR (Docker) or DATABASE_URL_UNPOOLED; and HTTP_PROXY.
_PLATFORM_VARIABLE = re.compile(
    r"(^|_)(url|uri|dsn|host|hostname|port|user|username|name|proxy|service|tcp|udp|env)(_|$)"
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
    """The type of `development_defaults`. Type checkers treat a Callable there as a method."""

    def __call__(self) -> dict[str, Any]:
        """Return default values of settings."""
        ...


class EnvironmentSource(EnvSettingsSource):
    """Reads the environment. Validation, not this source, reports values that are not JSON."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """Decode JSON, or return the text if it is not JSON."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value


class FileSource(EnvironmentSource, DotEnvSettingsSource):
    """Reads `.env` in the same way."""


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
        default = cast("DotEnvSettingsSource", dotenv_settings)
        file = FileSource(settings_cls, default.env_file, default.env_file_encoding)
        return init_settings, EnvironmentSource(settings_cls), file, file_secret_settings

    @property
    def concurrency_limit(self) -> int:
        """The maximum number of concurrent requests: HTTP_CONCURRENCY, or the size of the pool.

        The default is the same behind PgBouncer, where the process itself has no pool.
        """
        return self.http.concurrency or self.database.pool_size + self.database.max_overflow

    @classmethod
    def load(cls, **overrides: Any) -> Self:
        """Read the settings. Raises `SettingsError` with one line per invalid variable."""
        lines, encoding = list[str](), "utf-8-sig"
        if KitSettings.development_defaults and "database" not in overrides:
            overrides |= KitSettings.development_defaults()
        try:
            try:
                file = FileSource(cls)
            except UnicodeDecodeError as error:
                position = error.start + 1
                lines = [f"  .env: is not valid UTF-8 at byte {position}: save the file as UTF-8"]
                # Report the errors of the other variables too: Latin-1 decodes any byte.
                encoding = "latin-1"
                file = FileSource(cls, env_file_encoding=encoding)
            for values in (overrides, EnvironmentSource(cls)(), file()):
                lines += unknown_variables(cls, values)
            options: dict[str, Any] = {"_env_file_encoding": encoding}
            settings = cls(**overrides, **options)
            if not lines:
                return settings
        except OSError as error:
            lines = [f"  {error.filename}: cannot be read: {error.strerror}"]
        except ValidationError as error:
            lines += _error_lines(cls, error)
        advice = "Set them in the environment or in .env. .env.example documents all variables."
        raise SettingsError("\n".join(["The configuration is not valid:", *lines, advice]))


def _error_lines(model: type[BaseModel], error: ValidationError) -> list[str]:
    lines: list[str] = []
    groups = groups_of(model)
    for problem in error.errors(include_input=False, include_url=False):
        location = problem["loc"]
        depth = 2 if location and location[0] in groups else 1
        variable = "_".join(map(str, location[:depth])).upper()
        path = ".".join(map(str, location[depth:]))
        message = "is not set" if problem["type"] == "missing" else problem["msg"]
        message = message.removeprefix("Value error, ")
        if problem["type"] == "model_type" and variable.lower() in groups:
            message = f"is not a setting, but the prefix of a group: {variable}_…"
        lines.append("  " + ": ".join(filter(None, (variable, path, message))))
    return lines


def groups_of(model: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """Return the fields that are groups of settings: `database` reads `DATABASE_…`."""
    return {
        name: field.annotation
        for name, field in model.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    }


def variables_of(model: type[BaseModel]) -> list[str]:
    """Return the names of all environment variables that a settings class reads."""
    groups = groups_of(model)
    single = [name for name in _names_of(model) if name not in groups]
    nested = [f"{prefix}_{name}" for prefix, group in groups.items() for name in _names_of(group)]
    return [name.upper() for name in (*single, *nested)]


def unknown_variables(model: type[KitSettings], values: dict[str, Any]) -> Iterator[str]:
    """Yield an error message for each unknown variable.

    `values` has the environment variables with the prefix of a group, and all variables in `.env`.
    """
    groups, settings = groups_of(model), _names_of(model)
    for name, value in values.items():
        if name in groups and isinstance(value, dict):
            known = _names_of(groups[name])
            for suffix in sorted({key.lower() for key in cast("dict[str, Any]", value)} - known):
                variable = f"{name}_{suffix}".upper()
                similar = get_close_matches(suffix, known, 1, cutoff=0.8)
                is_of_platform = not similar and _PLATFORM_VARIABLE.search(suffix)
                if variable in model.ignored_variables or is_of_platform:
                    continue
                advice = "remove it, or add it to `ignored_variables` in app.settings"
                if similar:
                    advice = f"did you mean {name.upper()}_{similar[0].upper()}?"
                yield f"  {variable}: is not a setting: {advice}"
        # Other programs also read `.env`, so report only names that are similar to a setting.
        elif name.lower() not in settings:
            for found in get_close_matches(name.upper(), variables_of(model), 1, cutoff=0.85):
                yield f"  {name.upper()}: is not a setting: did you mean {found}?"


def _names_of(model: type[BaseModel]) -> set[str]:
    """Return the names of a model's fields in lower case: the alias of a field that has one."""
    aliases = {name: field.validation_alias for name, field in model.model_fields.items()}
    return {(alias if isinstance(alias, str) else name).lower() for name, alias in aliases.items()}
