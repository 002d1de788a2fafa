"""How Alembic reaches the database and learns of the models."""

import asyncio
from contextlib import nullcontext
from typing import Any

from alembic import context
from sqlalchemy import Connection

from app import registry
from app.about import NAME
from app.kit.db.alone import alone, migrate_patiently
from app.kit.db.base import Base
from app.kit.db.drift import COMPARISONS
from app.kit.db.engine import build_migration_engine
from app.kit.db.schema_drift import only_schemas_of
from app.kit.development import local_database
from app.settings import Settings

# Models register with their base as the registry imports them: without it, autogenerate would
# find no models and propose to drop every table.
assert registry.ROUTERS  # noqa: S101 - names the import whose effect is what counts

OPTIONS: dict[str, Any] = {
    "target_metadata": Base.metadata,
    "compare_type": True,
    "compare_server_default": True,
    "autogenerate_plugins": COMPARISONS,
    # Tables in every schema that the models name, and in no other.
    "include_schemas": True,
    "include_name": only_schemas_of(Base.metadata),
    # A revision that fails undoes itself only; and CONCURRENTLY needs the others to have ended.
    "transaction_per_migration": True,
}


def run_offline() -> None:
    """Write the SQL to standard output (`alembic upgrade head --sql`); needs no database."""
    context.configure(
        dialect_name="postgresql",
        literal_binds=True,
        dialect_opts={"paramstyle": "named"},
        **OPTIONS,
    )
    with context.begin_transaction():
        context.run_migrations()


def run_on(connection: Connection) -> None:
    """Migrate over this connection, each revision in a transaction of its own."""
    context.configure(connection=connection, **OPTIONS)
    with context.begin_transaction():
        context.run_migrations()


def run_and_commit(connection: Connection) -> None:
    """Keep Alembic's own table as well, which no revision makes where there is none yet."""
    run_on(connection)
    connection.commit()


async def run_online() -> None:
    """Migrate over connections of our own, one process at a time."""
    settings = context.config.attributes.get("settings") or Settings.load()
    engine = build_migration_engine(settings.database, NAME)
    async with alone(engine, settings.database) if changes_the_schema() else nullcontext():
        await migrate_patiently(engine, settings.database, run_and_commit)
    await engine.dispose()


def changes_the_schema() -> bool:
    """Whether this command goes somewhere; `check` and `current` only look."""
    try:
        context.get_revision_argument()
    except KeyError:
        return False
    return True


if context.is_offline_mode():
    run_offline()
elif connection := context.config.attributes.get("connection"):
    run_on(connection)
else:
    with local_database(with_schema=False):
        asyncio.run(run_online())
