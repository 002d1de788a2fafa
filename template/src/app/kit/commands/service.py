"""What the commands of the kit are told of the service that they are about."""

import asyncio
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

import typer
from alembic.script import ScriptDirectory
from fastapi import FastAPI

from app.kit.commands.errors import Refused
from app.kit.db.engine import build_migration_engine
from app.kit.db.migrate import PROJECT_ROOT, alembic_config, migrate
from app.kit.db.schema_state import applied_revisions, named
from app.kit.db.waiting import wait_for_database
from app.kit.development import given_database_url, local_settings
from app.kit.seeding import Seeder
from app.kit.settings import KitSettings

# Of a database that nobody connects to.
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
        """The application to look at, never to start: it needs no database.

        Raises SettingsError.
        """
        if given_database_url(env_file=True):
            return self.create_app(self.settings.load())
        return self.create_app(self.settings.load(database={"url": _NOWHERE}))

    @contextmanager
    def migrated(self) -> Generator[KitSettings]:
        """The settings of a database that is at the newest revision.

        The local one, where no DATABASE_URL is set, is brought there. Raises Refused for another,
        and where it cannot be told which the newest is.
        """
        with local_settings(self.settings) as settings:
            heads = frozenset(ScriptDirectory.from_config(alembic_config(settings)).get_heads())
            if len(heads) > 1:
                raise Refused(
                    f"The revisions have parted: {named(heads)} are all the newest. Join them "
                    "first, with `alembic merge heads -m 'join two lines'`."
                )
            if given_database_url(env_file=True):
                asyncio.run(self._check(settings, heads))
            else:
                migrate(settings)
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
            raise Refused(
                f"The schema of the database is at {named(applied)}, the code at {named(heads)}: "
                f"bring it there first, with `{self.name} migrate`."
            )


def service_of(context: typer.Context) -> Service:
    """The service that a command was called for."""
    return cast("Service", context.find_object(Service))


def is_developed_here() -> bool:
    """Whether `dev` has kept data of a local database in this place."""
    return (PROJECT_ROOT / ".pgdata").is_dir()
