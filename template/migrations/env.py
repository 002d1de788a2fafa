"""Alembic environment: connects to the database and loads the models."""

import asyncio
from contextlib import nullcontext
from typing import Any

from alembic import context
from sqlalchemy import Connection

from app import registry
from app.about import NAME
from app.kit.cli.development_database import local_database
from app.kit.cli.development_issuer import development_issuer
from app.kit.db.base import Base
from app.kit.db.engine import build_migration_engine
from app.kit.migrations.autogenerate.comparators import COMPARISONS
from app.kit.migrations.autogenerate.schema_steps import is_not_view, only_schemas_of
from app.kit.migrations.lock import migration_lock, retry_on_lock_timeout
from app.settings import Settings

# Importing the registry imports all models. Without it, autogenerate would find no models and
# propose to drop every table.
assert registry.ROUTERS  # noqa: S101 - the import must not look unused

OPTIONS: dict[str, Any] = {
    "target_metadata": Base.metadata,
    "compare_type": True,
    "compare_server_default": True,
    "autogenerate_plugins": COMPARISONS,
    # Only compare tables in the schemas that the models use.
    "include_schemas": True,
    "include_name": only_schemas_of(Base.metadata),
    "include_object": is_not_view,
    # A migration that fails reverts only itself. CONCURRENTLY needs the other migrations committed.
    "transaction_per_migration": True,
}


def run_offline() -> None:
    """Write the SQL to standard output, without a database (`alembic upgrade head --sql`)."""
    context.configure(
        dialect_name="postgresql",
        literal_binds=True,
        dialect_opts={"paramstyle": "named"},
        **OPTIONS,
    )
    with context.begin_transaction():
        context.run_migrations()


def run_on(connection: Connection) -> None:
    """Run the migrations on this connection, each in its own transaction."""
    context.configure(connection=connection, **OPTIONS)
    with context.begin_transaction():
        context.run_migrations()


def run_and_commit(connection: Connection) -> None:
    """Run the migrations and commit, which also stores `alembic_version` in a new database."""
    run_on(connection)
    connection.commit()


async def run_online() -> None:
    """Open a connection and run the migrations, in one process at a time."""
    settings = context.config.attributes.get("settings") or Settings.load()
    engine = build_migration_engine(settings.database, NAME)
    async with migration_lock(engine, settings.database) if changes_the_schema() else nullcontext():
        await retry_on_lock_timeout(engine, settings.database, run_and_commit)
    await engine.dispose()


def changes_the_schema() -> bool:
    """Return whether this command runs migrations, unlike `check` and `current`."""
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
    # With authentication, the settings are only valid with an issuer, which does not have to run.
    with development_issuer(NAME, start=False), local_database(with_schema=False):
        asyncio.run(run_online())
