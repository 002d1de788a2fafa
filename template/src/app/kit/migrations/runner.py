"""Run migrations from Python."""

import asyncio
import logging
import sys
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import text

from app.kit.db.connections.wait_for_database import wait_for_database
from app.kit.db.engine import build_migration_engine
from app.kit.settings import KitSettings

PROJECT_ROOT = Path(__file__).resolve().parents[4]

_HAS_SCHEMA = text("SELECT to_regclass('alembic_version') IS NOT NULL")


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
    """Apply all migrations if none has been applied yet.

    Can be called while an event loop is running.
    """
    with ThreadPoolExecutor(max_workers=1) as thread:
        if not thread.submit(asyncio.run, _has_schema(settings)).result():
            thread.submit(migrate, settings).result()


async def _has_schema(settings: KitSettings) -> bool:
    await wait_for_database(settings.database)
    engine = build_migration_engine(settings.database, "schema")
    try:
        async with engine.connect() as connection:
            return bool(await connection.scalar(_HAS_SCHEMA))
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
