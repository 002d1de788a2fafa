"""The service that a command belongs to, and its database."""

import asyncio
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import typer
from alembic.config import Config
from alembic.script import ScriptDirectory
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
    alembic_config,
    applied_revisions,
    format_revisions,
    migrate,
    migration_connection,
    pending_migrations,
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
        if configured_database_url(env_file=True):
            return self.create_app(self.settings.load())
        return self.create_app(self.settings.load(database={"url": _UNUSED_URL}))

    @contextmanager
    def at_heads(self) -> Generator[KitSettings]:
        """Yield the settings of a database at the newest migration, to compare with the models.

        Without DATABASE_URL, apply all migrations to a temporary database. Raises CommandFailed if
        the database of DATABASE_URL is not up to date, or if the migrations have multiple heads.
        """
        if configured_database_url(env_file=True):
            yield self.migrated()
            return
        with local_server(ephemeral=True) as url:
            settings = self.settings.load(**database_settings(url))
            _heads_unless_multiple(alembic_config(settings))
            migrate(settings)
            yield settings

    def migrated(self) -> KitSettings:
        """Return the settings of the database at the newest migration.

        A new local database is migrated first. Raises CommandFailed if any other database is not up
        to date, or if the migrations have multiple heads.
        """
        settings = self.settings.load()
        config = alembic_config(settings)
        heads = _heads_unless_multiple(config)
        asyncio.run(self._raise_if_not_at(heads, config, settings))
        return settings

    async def _raise_if_not_at(
        self, heads: frozenset[str], config: Config, settings: KitSettings
    ) -> None:
        async with migration_connection(settings, self.name) as connection:
            applied = await applied_revisions(connection)
        if applied == heads:
            return
        if unknown := applied - CodeRevisions.of(ScriptDirectory.from_config(config)).known:
            newer = format_revisions(unknown)
            raise CommandFailed(f"The database is at {newer}, which the code does not have.")
        raise CommandFailed(pending_migrations("database", applied, heads, self.name))


def _heads_unless_multiple(config: Config) -> frozenset[str]:
    """Return the head as a set, which is empty without migrations. Raises CommandFailed."""
    heads = frozenset(ScriptDirectory.from_config(config).get_heads())
    if len(heads) > 1:
        raise CommandFailed(
            f"The migrations have multiple heads: {format_revisions(heads)}. Merge them first, "
            "with `alembic merge heads -m 'merge two branches'`."
        )
    return heads


def use_local_database(context: typer.Context) -> None:
    """Use the local database if DATABASE_URL is not set.

    `serve` is for production, and fails without DATABASE_URL. `doctor` changes nothing: without a
    local database, it reports that DATABASE_URL is not set.
    """
    command = context.invoked_subcommand
    if command != "serve" and (command != "doctor" or has_local_database()):
        # `migrate` applies the migrations itself: it prints them, and may stop at a revision.
        with_schema = command not in ("doctor", "migrate")
        context.with_resource(local_database(with_schema=with_schema))
    context.with_resource(issuer_for(command, get_service(context).name))


def get_service(context: typer.Context) -> Service:
    """Return the service of the command."""
    return cast("Service", context.find_object(Service))


def has_local_database() -> bool:
    """Return whether this project has a local database."""
    return (PROJECT_ROOT / ".pgdata").is_dir()


def display_path(path: Path | str) -> str:
    """Return a path for messages, relative to the project if it is inside."""
    path = Path(path)
    return str(path.relative_to(PROJECT_ROOT) if path.is_relative_to(PROJECT_ROOT) else path)
