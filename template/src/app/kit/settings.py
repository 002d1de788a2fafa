"""Settings from the environment and `.env`, checked as a whole before anything starts."""

from difflib import get_close_matches
from ipaddress import IPv4Address
from typing import Any, Literal, Self, cast

from pydantic import BaseModel, Field, IPvAnyAddress, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.kit.db.settings import DatabaseSettings
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


class KitSettings(BaseSettings):
    """The settings of the kit; a service extends them in `app.settings`.

    A group is one word and reads the variables that begin with it: `database.pool_size` is
    `DATABASE_POOL_SIZE`.
    """

    model_config = SettingsConfigDict(
        env_file=".env",
        env_ignore_empty=True,
        env_nested_delimiter="_",
        env_nested_max_split=1,
        extra="ignore",
        frozen=True,
        # A value may be a secret: errors name the variable only.
        hide_input_in_errors=True,
    )

    # Empty by default so that what is missing is reported by its own name, DATABASE_URL.
    database: DatabaseSettings = Field(default={}, validate_default=True)
    log: LogSettings = LogSettings()
    metrics: MetricsSettings = MetricsSettings()
    http: HttpSettings = HttpSettings()
    docs: bool = True

    @model_validator(mode="before")
    @classmethod
    def _has_no_misspelt_variable(cls, values: Any) -> Any:
        # Only what is nearly a setting: the orchestrator sets DATABASE_PORT for a host `database`.
        for group, field in cls.model_fields.items():
            kind, given = field.annotation, values.get(group)
            if isinstance(kind, type) and issubclass(kind, BaseModel) and isinstance(given, dict):
                names = {name.lower() for name in cast(dict[str, Any], given)}
                for name in sorted(names - {*kind.model_fields}):
                    if near := get_close_matches(name, kind.model_fields, 1, cutoff=0.8):
                        wrong, right = f"{group}_{name}".upper(), f"{group}_{near[0]}".upper()
                        raise ValueError(f"{wrong}: is not a setting, {right} is")
        return values

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
        try:
            return cls(**overrides)
        except ValidationError as error:
            raise SettingsError(_explain(error)) from None


def _explain(error: ValidationError) -> str:
    lines = ["The configuration is not valid:"]
    for problem in error.errors(include_input=False, include_url=False):
        variable = "_".join(str(part) for part in problem["loc"]).upper()
        message = "is not set" if problem["type"] == "missing" else problem["msg"]
        message = message.removeprefix("Value error, ")
        lines.append(f"  {variable}: {message}" if variable else f"  {message}")
    lines.append("Set each in the environment or in .env; .env.example describes them all.")
    return "\n".join(lines)
