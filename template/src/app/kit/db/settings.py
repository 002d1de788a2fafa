"""Database settings (`DATABASE_…`)."""

from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator
from sqlalchemy import URL

from app.kit.db.connections.url import parse_url
from app.kit.db.pool import PoolSettings


class DatabaseSettings(PoolSettings):
    """Database settings; `app.kit.db.pool` has those of the pool. Times are in seconds."""

    url: SecretStr
    # A read replica. Default: read from `url`.
    replica_url: SecretStr | None = None
    # For migrations: the role that owns the tables, without a pooler. Default: `url`.
    migration_url: SecretStr | None = None
    # Password for `url` and `replica_url`, without percent-encoding.
    password: SecretStr | None = None
    application_name: str | None = Field(None, max_length=63)
    # Processes of this service on all hosts that connect to the server.
    processes: int = Field(1, ge=1, le=10_000)

    connect_timeout: float = Field(5, gt=0, le=300)
    statement_timeout: float = Field(30, ge=0, le=86_400)
    lock_timeout: float = Field(5, ge=0, le=86_400)
    idle_in_transaction_timeout: float = Field(60, ge=0, le=86_400)
    jit: bool = False

    # Commands wait this long for the database to start. The HTTP server starts without waiting.
    startup_timeout: float = Field(30, ge=0, le=3600)
    # A migration waits this long for another running migration.
    migration_wait: float = Field(300, ge=0, le=86_400)

    echo: bool = False
    echo_pool: bool = False
    hide_parameters: bool = True
    # Milliseconds, unlike the other settings. None disables the log of slow statements.
    slow_query_ms: float | None = Field(None, ge=0, le=86_400_000)

    @field_validator("url", "replica_url", "migration_url")
    @classmethod
    def _check_url(cls, url: SecretStr | None) -> SecretStr | None:
        if url:
            parse_url(url.get_secret_value())
        return url

    @model_validator(mode="after")
    def _reject_pre_ping_behind_pgbouncer(self) -> Self:
        if self.pooler == "pgbouncer" and self.pool_pre_ping:
            raise ValueError("DATABASE_POOL_PRE_PING must be false: PgBouncer pools connections.")
        return self

    def for_reads(self) -> Self:
        """Return the settings for reads: on the replica if there is one."""
        return self.model_copy(update={"url": self.replica_url or self.url})

    def for_migrations(self) -> Self:
        """Return the settings for migrations, which use `migration_url` if it is set."""
        if not self.migration_url:
            return self
        changes = {"url": self.migration_url, "password": None, "pooler": "none"}
        return self.model_copy(update=changes)

    @property
    def sqlalchemy_url(self) -> URL:
        """The URL for asyncpg, with `password` if it is set."""
        url = parse_url(self.url.get_secret_value())
        return url.set(password=self.password.get_secret_value()) if self.password else url
