"""The local development database, for commands without DATABASE_URL.

The code of the server is in the folder `devtools`, which the wheel and the image do not contain.
Functions in this module therefore import it when they need it.
"""

import multiprocessing
import os
import signal
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from importlib.util import find_spec
from threading import Thread
from typing import Any, TypeVar

from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import URL

from app.kit.cli.errors import CommandFailed
from app.kit.migrations.runner import PROJECT_ROOT, create_schema
from app.kit.settings import KitSettings

S = TypeVar("S", bound=KitSettings)


class _Environment(BaseSettings):
    model_config = SettingsConfigDict(
        env_file_encoding="utf-8-sig", env_ignore_empty=True, extra="ignore"
    )

    database_url: str | None = None


def configured_database_url(*, env_file: bool) -> str | None:
    """Return DATABASE_URL from the environment and, with `env_file`, from `.env`."""
    options: dict[str, Any] = {"_env_file": ".env" if env_file else None}
    # `Settings.load` reports these errors together with all others.
    with suppress(OSError, UnicodeDecodeError):
        return _Environment(**options).database_url
    return _Environment().database_url


def is_development() -> bool:
    """Return whether the development dependencies are installed."""
    return find_spec("pytest") is not None


@contextmanager
def local_server(*, ephemeral: bool = False) -> Generator[URL]:
    """Yield the URL of this project's server, or of a temporary one if `ephemeral`.

    Raises CommandFailed if the server is not installed or cannot start.
    """
    try:
        import local_postgres
    except ModuleNotFoundError as error:
        raise CommandFailed(
            "The local PostgreSQL is not installed: set DATABASE_URL, or run the command with "
            "`uv run` in a checkout of the service, which has the folder `devtools`."
        ) from error
    try:
        with (
            local_postgres.ephemeral(max_connections=10)
            if ephemeral
            else local_postgres.development(PROJECT_ROOT)
        ) as url:
            yield url
    except local_postgres.PostgresUnavailable as error:
        raise CommandFailed(str(error)) from error


def is_local_server_in_use() -> bool:
    """Return whether another process uses this project's server."""
    with suppress(ImportError, FileNotFoundError):  # Windows, no `devtools`, or never started
        import fcntl

        from local_postgres.binaries import PostgresUnavailable, find_binaries
        from local_postgres.supervisor import Cluster, try_lock

        with suppress(PostgresUnavailable):
            cluster = Cluster(PROJECT_ROOT / ".pgdata", *find_binaries(), durable=True)
            with cluster.path(".users").open() as users:
                # Each process that uses the server holds a shared lock. A supervisor that stops the
                # server holds the exclusive lock, so that the first attempt fails.
                return try_lock(users, fcntl.LOCK_SH) and not try_lock(users, fcntl.LOCK_EX)
    return False


@contextmanager
def local_database(*, with_schema: bool = True) -> Generator[None]:
    """Make `Settings.load()` use the local database in the block if DATABASE_URL is not set.

    The first call of `load` starts the database, or attaches to the one of another process. With
    `with_schema`, it applies all migrations to a new database. Outside development, `load` raises
    SettingsError without DATABASE_URL.
    """
    if not is_development():
        yield
        return

    @cache
    def start_server() -> dict[str, Any]:
        arguments = database_settings(stack.enter_context(local_server()))
        if with_schema:
            create_schema(KitSettings.load(**arguments))
        return arguments

    def defaults() -> dict[str, Any]:
        return {} if configured_database_url(env_file=True) else start_server()

    previous = KitSettings.development_defaults
    with ExitStack() as stack:
        KitSettings.development_defaults = defaults
        try:
            yield
        finally:
            KitSettings.development_defaults = previous


def without_startup_wait(settings: S) -> S:
    """Return settings that do not wait for the database, unless `startup_timeout` is set."""
    if "startup_timeout" in settings.database.model_fields_set:
        return settings
    database = settings.database.model_copy(update={"startup_timeout": 0})
    return settings.model_copy(update={"database": database})


def database_settings(url: URL) -> dict[str, Any]:
    """Return the arguments of `Settings.load` for this database, also for migrations."""
    address = url.render_as_string(hide_password=False)
    return {"database": {"url": address, "migration_url": None}}


def exit_with_parent() -> None:
    """Send SIGINT to this process when its parent process ends.

    Without this, the server keeps running after its reloader is killed.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGINT)

    Thread(target=wait, daemon=True).start()
