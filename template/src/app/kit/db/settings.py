"""The settings of the database (`DATABASE_…`)."""

from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator
from sqlalchemy import URL

from app.kit.db.pool import PoolSettings
from app.kit.db.url import parse_url


class DatabaseSettings(PoolSettings):
    """Where the database is and how the service behaves towards it. All times in seconds."""

    url: SecretStr
    # Where to read; the same database as `url` unless set.
    replica_url: SecretStr | None = None
    # The owner of the tables, past any pooler; migrations use `url` unless set.
    migration_url: SecretStr | None = None
    # For the first two. Taken literally, so that a generated password needs no percent-encoding.
    password: SecretStr | None = None
    application_name: str | None = Field(None, max_length=63)
    # How many of this service share the server, on all hosts together: see `capacity`.
    processes: int = Field(1, ge=1, le=10_000)

    connect_timeout: float = Field(5, gt=0, le=300)
    statement_timeout: float = Field(30, ge=0, le=86_400)
    lock_timeout: float = Field(5, ge=0, le=86_400)
    idle_in_transaction_timeout: float = Field(60, ge=0, le=86_400)
    jit: bool = False

    # How long a command waits for a server that is still starting; a process that serves does not.
    startup_timeout: float = Field(30, ge=0, le=3600)
    # How long a migration waits for another one that runs already.
    migration_wait: float = Field(300, ge=0, le=86_400)

    echo: bool = False
    echo_pool: bool = False
    hide_parameters: bool = True
    # Milliseconds, as nothing else here; None logs no statement for its time.
    slow_query_ms: float | None = Field(None, ge=0, le=86_400_000)

    @field_validator("url", "replica_url", "migration_url")
    @classmethod
    def _is_a_database_url(cls, url: SecretStr | None) -> SecretStr | None:
        if url:
            parse_url(url.get_secret_value())
        return url

    @model_validator(mode="after")
    def _has_a_pool_that_fits(self) -> Self:
        if self.pooler == "pgbouncer" and self.pool_pre_ping:
            raise ValueError("POOL_PRE_PING has no use behind PgBouncer: set it to false")
        return self

    @property
    def sqlalchemy_url(self) -> URL:
        """The URL for the asyncpg driver, with the separate password where one is set."""
        url = parse_url(self.url.get_secret_value())
        return url.set(password=self.password.get_secret_value()) if self.password else url
