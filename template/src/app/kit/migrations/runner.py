"""Run migrations, and compare those applied to a database with those of the code."""

import asyncio
import logging
import sys
from collections.abc import AsyncGenerator, Generator, Set
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

from alembic import command
from alembic.config import Config
from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.kit.db.connections.startup_checks import wait_for_database
from app.kit.db.engine import build_migration_engine
from app.kit.settings import KitSettings

PROJECT_ROOT = Path(__file__).resolve().parents[4]

_HAS_SCHEMA = text("SELECT to_regclass('alembic_version') IS NOT NULL")
_CAN_READ = text(
    "SELECT has_table_privilege(to_regclass('alembic_version'), 'SELECT')"
    " AND current_schema() IS NOT NULL"
)
_APPLIED = text("SELECT version_num FROM alembic_version")


def alembic_config(settings: KitSettings) -> Config:
    """Return Alembic's configuration, with the settings for `migrations/env.py`."""
    config = Config(toml_file=PROJECT_ROOT / "pyproject.toml", stdout=sys.stdout)
    # Not a configuration option, because Alembic would interpret a `%` in the password.
    config.attributes["settings"] = settings
    return config


def migrate(settings: KitSettings, revision: str = "heads") -> None:
    """Upgrade the schema to a revision, by default to the head of every branch."""
    asyncio.run(wait_for_database(settings.database))
    command.upgrade(alembic_config(settings), revision)


def create_schema(settings: KitSettings) -> None:
    """Apply all migrations to a database that has never been migrated.

    A database that was downgraded to `base` stays empty: a developer may be editing the migrations.
    Does not wait for the database to start, unless DATABASE_STARTUP_TIMEOUT is set.

    Can be called while an event loop is running.
    """
    if "startup_timeout" not in settings.database.model_fields_set:
        database = settings.database.model_copy(update={"startup_timeout": 0})
        settings = settings.model_copy(update={"database": database})
    with ThreadPoolExecutor(max_workers=1) as thread:
        if not thread.submit(asyncio.run, _has_schema(settings)).result():
            thread.submit(migrate, settings).result()


async def _has_schema(settings: KitSettings) -> bool:
    async with migration_connection(settings, "schema") as connection:
        return bool(await connection.scalar(_HAS_SCHEMA))


@asynccontextmanager
async def migration_connection(settings: KitSettings, name: str) -> AsyncGenerator[AsyncConnection]:
    """Wait for the database, and yield a connection of the role that runs migrations."""
    await wait_for_database(settings.database)
    engine = build_migration_engine(settings.database, name)
    try:
        async with engine.connect() as connection:
            yield connection
    finally:
        await engine.dispose()


@contextmanager
def logged_migrations() -> Generator[None]:
    """In the block, print each migration to stderr: "Running upgrade a -> b, add notes"."""
    logger, handler = logging.getLogger("alembic.runtime.migration"), logging.StreamHandler()
    handler.addFilter(lambda record: record.msg.startswith("Running"))
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


class RevisionTableUnreadable(CommandError):
    """The database role may not read the table `alembic_version`."""


@dataclass(frozen=True)
class CodeRevisions:
    """The migrations of the code."""

    heads: frozenset[str]
    known: frozenset[str]

    @classmethod
    def from_script(cls, script: ScriptDirectory) -> Self:
        """Read the revisions of a folder of migrations."""
        known = frozenset(migration.revision for migration in script.walk_revisions())
        return cls(heads=frozenset(script.get_heads()), known=known)

    def is_compatible(self, applied: Set[str]) -> bool:
        """Return whether the code can run on a database with these applied revisions.

        An unknown revision belongs to a newer release: during a rollout, migrations run while old
        processes still serve requests.
        """
        return self.heads <= applied or bool(applied - self.known)

    def mismatch(self, applied: Set[str], program: str, server: str = "database") -> str:
        """Return a message about applied revisions other than those of the code."""
        if unknown := applied - self.known:
            return (
                f"The {server} is at {format_revisions(unknown)}, which the code does not have. "
                "Use the release of the service that has this migration."
            )
        return (
            f"The {server} is at migration {format_revisions(applied)}, the code at "
            f"{format_revisions(self.heads)}. "
            f"Apply the pending migrations with `{program} migrate`."
        )


def script_directory() -> ScriptDirectory:
    """Return the folder `migrations`."""
    return ScriptDirectory.from_config(Config(toml_file=PROJECT_ROOT / "pyproject.toml"))


@cache
def load_revisions() -> CodeRevisions:
    """Read the revisions in `migrations/versions`."""
    return CodeRevisions.from_script(script_directory())


async def applied_revisions(connection: AsyncConnection) -> frozenset[str]:
    """Return the current revisions of the database; empty if no migration was applied.

    Raises RevisionTableUnreadable if the role may not read them.
    """
    # Check first, because a failed statement would abort the caller's transaction. Without USAGE on
    # the schema, there is no current schema, and the table cannot be found.
    can_read = await connection.scalar(_CAN_READ)
    if can_read is None:  # no such table
        return frozenset()
    if not can_read:
        raise RevisionTableUnreadable(
            "The role may not read alembic_version. Grant it SELECT, and USAGE on the schema."
        )
    return frozenset(await connection.scalars(_APPLIED))


def pending_revisions(script: ScriptDirectory, applied: Set[str]) -> list[Script]:
    """Return the migrations that are not applied yet, in the order in which to apply them."""
    migrations = list(script.walk_revisions())
    if applied - {migration.revision for migration in migrations}:
        return []  # A database that is newer than the code has all migrations of the code.
    done = {each.revision for head in applied for each in script.iterate_revisions(head, "base")}
    return [migration for migration in reversed(migrations) if migration.revision not in done]


def format_revisions(revisions: Set[str]) -> str:
    """Return the revisions as text for a message."""
    return ", ".join(sorted(revisions)) or "none"
