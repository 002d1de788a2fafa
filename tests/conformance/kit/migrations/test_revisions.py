"""A migration can undo other migrations, and can be downgraded itself."""

import asyncio
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import URL, text

from app.kit.db.engine import build_migration_engine
from app.kit.migrations.runner import alembic_config
from tests.support.database import settings_for

CREATE_TABLE = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "kit_1", {head!r}


def upgrade() -> None:
    op.create_table("kit_made", sa.Column("id", sa.Integer(), primary_key=True))


def downgrade() -> None:
    op.drop_table("kit_made")
"""
UNDO = """
from app.kit.migrations.operations import downgrade_revisions, upgrade_revisions

revision, down_revision = "kit_2", "kit_1"


def upgrade() -> None:
    downgrade_revisions(["kit_1"])


def downgrade() -> None:
    upgrade_revisions(["kit_1"])
"""


@pytest.fixture
def config(own_database_url: URL, tmp_path: Path) -> Config:
    """An Alembic configuration with the service's migrations and these two."""
    config = alembic_config(settings_for(own_database_url))
    script = ScriptDirectory.from_config(config)
    (tmp_path / "makes.py").write_text(CREATE_TABLE.format(head=script.get_current_head()))
    (tmp_path / "undoes.py").write_text(UNDO)
    places = "\n".join([script.versions, str(tmp_path)])
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", places.replace("%", "%%"))
    return config


def table_exists(config: Config) -> bool:
    """Whether the table of the first migration exists."""

    async def query() -> bool:
        settings = config.attributes["settings"]
        engine = build_migration_engine(settings.database, "test")
        async with engine.connect() as connection:
            found = await connection.scalar(text("SELECT to_regclass('kit_made') IS NOT NULL"))
        await engine.dispose()
        return bool(found)

    return asyncio.run(query())


def test_migration_undoes_another_and_downgrade_restores_it(config: Config) -> None:
    command.upgrade(config, "kit_1")
    assert table_exists(config)
    command.upgrade(config, "kit_2")
    assert not table_exists(config)
    command.downgrade(config, "kit_1")
    assert table_exists(config)
