"""The service that a command belongs to, and its database."""

import asyncio
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import typer
from fastapi import FastAPI

from app.kit.cli.development_database import (
    configured_database_url,
    database_settings,
    local_database,
    local_server,
)
from app.kit.cli.development_issuer import issuer_for
from app.kit.cli.errors import CommandFailed
from app.kit.cli.seeding import Seeder
from app.kit.migrations.runner import (
    PROJECT_ROOT,
    CodeRevisions,
    applied_revisions,
    format_revisions,
    migrate,
    migration_connection,
    script_directory,
)
from app.kit.settings import KitSettings

# Placeholder for commands that do not connect to a database.
_UNUSED_URL = "postgresql://localhost/nowhere"


@dataclass(frozen=True)
class Service:
    """The name, settings and application factory of a service."""

    name: str
    settings: type[KitSettings]
    create_app: Callable[..., FastAPI]
    # Import string of the application for `dev`.
    development: str
    seeders: Sequence[Seeder]

    def application(self) -> FastAPI:
        """Return the application for inspection. It needs no database until its lifespan starts.

        Raises SettingsError.
        """
        if configured_database_url():
            return self.create_app(self.settings.load())
        return self.create_app(self.settings.load(database={"url": _UNUSED_URL}))

    @contextmanager
    def at_heads(self) -> Generator[KitSettings]:
        """Yield the settings of a database at the newest migration, to compare with the models.

        Without DATABASE_URL, apply all migrations to a temporary database. Raises CommandFailed if
        the database of DATABASE_URL is not up to date, or if the migrations have multiple heads.
        """
        if configured_database_url():
            yield self.migrated()
            return
        code_revisions()
        with local_server(ephemeral=True) as url:
            settings = self.settings.load(**database_settings(url))
            migrate(settings)
            yield settings

    def migrated(self) -> KitSettings:
        """Return the settings of the database, which must be at the newest migration.

        Raises CommandFailed if it is not, or if the migrations have multiple heads.
        """
        settings = self.settings.load()
        code = code_revisions()
        applied = asyncio.run(read_revisions(settings, self.name))
        if applied != code.heads:
            raise CommandFailed(code.mismatch(applied, self.name))
        return settings


def code_revisions() -> CodeRevisions:
    """Return the migrations of the code. Raises CommandFailed if they have multiple heads."""
    code = CodeRevisions.from_script(script_directory())
    if len(code.heads) > 1:
        raise CommandFailed(
            f"The migrations have multiple heads: {format_revisions(code.heads)}. Merge them "
            "first, with `alembic merge heads -m 'merge two branches'`."
        )
    return code


async def read_revisions(settings: KitSettings, name: str) -> frozenset[str]:
    """Wait for the database, and return its revisions."""
    async with migration_connection(settings, name) as connection:
        return await applied_revisions(connection)


def use_local_database(context: typer.Context) -> None:
    """Use the local database if DATABASE_URL is not set.

    `serve` is for production, and fails without DATABASE_URL. `doctor` changes nothing: without a
    local database, it reports that DATABASE_URL is not set.
    """
    command = context.invoked_subcommand
    has_local_database = (PROJECT_ROOT / ".pgdata").is_dir()
    if command != "serve" and (command != "doctor" or has_local_database):
        # `migrate` applies the migrations itself: it prints them, and may stop at a revision.
        with_schema = command not in ("doctor", "migrate")
        context.with_resource(local_database(with_schema=with_schema))
    context.with_resource(issuer_for(command, get_service(context).name))


def get_service(context: typer.Context) -> Service:
    """Return the service of the command."""
    return cast("Service", context.find_object(Service))


def write_or_check(path: Path, text: str, command: str, *, check: bool) -> None:
    """Write a generated file. With `check`, exit with 1 if it is outdated instead."""
    shown = display_path(path)
    if not check:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise CommandFailed(f"Cannot write {shown}: {error.strerror}.") from error
        typer.echo(f"Wrote {shown}.")
    elif path.is_file() and path.read_text(encoding="utf-8") == text:
        typer.echo(f"{shown} is current.")
    else:
        problem = "is outdated" if path.is_file() else "does not exist"
        typer.echo(f"{shown} {problem}. Run `{command}`.", err=True)
        raise typer.Exit(1)


def display_path(path: Path | str) -> str:
    """Return a path for messages, relative to the project if it is inside."""
    path = Path(path)
    return str(path.relative_to(PROJECT_ROOT) if path.is_relative_to(PROJECT_ROOT) else path)
