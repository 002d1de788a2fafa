"""Running migrations from code."""

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config

from app.kit.db.waiting import wait_for_database
from app.kit.settings import KitSettings

PROJECT_ROOT = Path(__file__).resolve().parents[4]


def alembic_config(settings: KitSettings) -> Config:
    """Alembic's configuration, with the settings for `migrations/env.py` to use."""
    config = Config(toml_file=PROJECT_ROOT / "pyproject.toml")
    # Handed over as an object: a configuration file would interpret `%` in a password.
    config.attributes["settings"] = settings
    return config


def migrate(settings: KitSettings, revision: str = "heads") -> None:
    """Upgrade the schema to a revision; unless one is named, to the newest of every line."""
    asyncio.run(wait_for_database(settings.database))
    command.upgrade(alembic_config(settings), revision)
