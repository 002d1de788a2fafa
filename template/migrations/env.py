"""How Alembic reaches the database and learns of the models."""

import asyncio
from typing import Any

from alembic import context
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from app import registry
from app.about import NAME
from app.kit.db.base import Base
from app.kit.db.drift import COMPARISONS
from app.kit.db.engine import build_migration_engine
from app.settings import Settings

# Models register with their base as the registry imports them: without it, autogenerate would
# find no models and propose to drop every table.
assert registry.ROUTERS  # noqa: S101 - names the import whose effect is what counts

OPTIONS: dict[str, Any] = {
    "target_metadata": Base.metadata,
    "compare_type": True,
    "compare_server_default": True,
    "autogenerate_plugins": COMPARISONS,
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
    """Migrate over this connection, in one transaction."""
    context.configure(connection=connection, **OPTIONS)
    with context.begin_transaction():
        context.run_migrations()


async def run_online() -> None:
    """Migrate over a connection of our own."""
    settings = context.config.attributes.get("settings") or Settings.load()
    engine: AsyncEngine = build_migration_engine(settings.database, NAME)
    async with engine.connect() as connection:
        await connection.run_sync(run_on)
    await engine.dispose()


if context.is_offline_mode():
    run_offline()
elif connection := context.config.attributes.get("connection"):
    run_on(connection)
else:
    asyncio.run(run_online())
