"""The local development database, for commands without DATABASE_URL, and development commands.

Their code is in the folder `devtools`, which the wheel and the image do not contain. Functions in
this module therefore import it when they need it.
"""

import multiprocessing
import os
import signal
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from threading import Thread
from typing import Any

import typer
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import URL

from app.kit.cli.errors import CommandFailed
from app.kit.migrations.runner import PROJECT_ROOT, create_schema
from app.kit.settings import KitSettings


class _Environment(BaseSettings):
    model_config = SettingsConfigDict(
        env_file_encoding="utf-8-sig", env_ignore_empty=True, extra="ignore"
    )

    database_url: str | None = None
    auth_issuer: str | None = None


def read_environment(*, env_file: bool = True) -> _Environment:
    """Return the variables of the environment and, with `env_file`, of `.env`."""
    options: dict[str, Any] = {"_env_file": ".env" if env_file else None}
    # `Settings.load` reports these errors together with all others.
    with suppress(OSError, UnicodeDecodeError):
        return _Environment(**options)
    return _Environment()


def configured_database_url(*, env_file: bool = True) -> str | None:
    """Return DATABASE_URL from the environment and, with `env_file`, from `.env`."""
    return read_environment(env_file=env_file).database_url


def is_development() -> bool:
    """Return whether the development dependencies are installed."""
    return find_spec("pytest") is not None


def development_commands() -> Iterator[typer.Typer]:
    """Yield the commands of `devtools`."""
    for name in ("schema_diagram", "scaffold_installer"):
        if is_development() and find_spec(name):
            yield import_module(name).commands


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
        return {} if configured_database_url() else start_server()

    previous = KitSettings.development_defaults
    with ExitStack() as stack:
        KitSettings.development_defaults = defaults
        try:
            yield
        finally:
            KitSettings.development_defaults = previous


def database_settings(url: URL) -> dict[str, Any]:
    """Return the arguments of `Settings.load` for this database, also for migrations and reads."""
    address = url.render_as_string(hide_password=False)
    return {"database": {"url": address, "migration_url": None, "replica_url": None}}


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
