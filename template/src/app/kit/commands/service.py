"""The service that the commands of the kit work on, and its database."""

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

from app.kit.commands.errors import Refused
from app.kit.db.engine import build_migration_engine
from app.kit.db.migrate import PROJECT_ROOT, alembic_config, create_schema, migrate
from app.kit.db.schema_state import applied_revisions, named, pending_migrations
from app.kit.db.waiting import wait_for_database
from app.kit.development import (
    database_settings,
    given_database_url,
    local_database,
    local_server,
    local_settings,
)
from app.kit.seeding import Seeder
from app.kit.settings import KitSettings

# A database that no command connects to.
_NOWHERE = "postgresql://localhost/nowhere"


@dataclass(frozen=True)
class Service:
    """A service: its name, its settings, and how to make it."""

    name: str
    settings: type[KitSettings]
    create_app: Callable[..., FastAPI]
    # The application of `dev`, as uvicorn's reloader imports it.
    development: str
    seeders: Sequence[Seeder]

    def application(self) -> FastAPI:
        """The application for inspection, never started: it needs no database.

        Raises SettingsError.
        """
        if given_database_url(env_file=True):
            return self.create_app(self.settings.load())
        return self.create_app(self.settings.load(database={"url": _NOWHERE}))

    @contextmanager
    def at_heads(self) -> Generator[KitSettings]:
        """The settings of a database to compare the models with: it is at the newest migration.

        Without DATABASE_URL this is a temporary database, to which all migrations are applied.
        Raises Refused for a given database that is not up to date, or with multiple heads.
        """
        if given_database_url(env_file=True):
            with self.migrated() as settings:
                yield settings
            return
        with local_server(ephemeral=True) as url:
            settings = self.settings.load(**database_settings(url))
            _refuse_multiple_heads(alembic_config(settings))
            migrate(settings)
            yield settings

    @contextmanager
    def migrated(self) -> Generator[KitSettings]:
        """The settings of the database, which is at the newest migration.

        A new local database is migrated. Raises Refused for any other that is not up to date, or
        with multiple heads.
        """
        with local_settings(self.settings) as settings:
            heads = _refuse_multiple_heads(alembic_config(settings))
            if not given_database_url(env_file=True):
                create_schema(settings)
            asyncio.run(self._check(settings, heads))
            yield settings

    async def _check(self, settings: KitSettings, heads: frozenset[str]) -> None:
        await wait_for_database(settings.database)
        engine = build_migration_engine(settings.database, self.name)
        try:
            async with engine.connect() as connection:
                applied = await applied_revisions(connection)
        finally:
            await engine.dispose()
        if applied != heads:
            raise Refused(pending_migrations("database", applied, heads, self.name))


def _refuse_multiple_heads(config: Config) -> frozenset[str]:
    heads = frozenset(ScriptDirectory.from_config(config).get_heads())
    if len(heads) > 1:
        raise Refused(
            f"The migrations have multiple heads: {named(heads)}. Merge them first, with "
            "`alembic merge heads -m 'merge two branches'`."
        )
    return heads


def use_local_database(context: typer.Context) -> None:
    """In development, run commands on the local database where no DATABASE_URL is set.

    `serve` is for production: it refuses to start without DATABASE_URL. `doctor` reports that it
    is not set.
    """
    if context.invoked_subcommand not in ("serve", "doctor"):
        is_migrate = context.invoked_subcommand == "migrate"
        context.with_resource(local_database(with_schema=not is_migrate))


def service_of(context: typer.Context) -> Service:
    """The service that a command was called for."""
    return cast("Service", context.find_object(Service))


def is_developed_here() -> bool:
    """Whether this project has data of a local database."""
    return (PROJECT_ROOT / ".pgdata").is_dir()


def shown(path: Path | str) -> str:
    """Return a path to print: within the project, relative to it."""
    path = Path(path)
    return str(path.relative_to(PROJECT_ROOT) if path.is_relative_to(PROJECT_ROOT) else path)
