"""A revision may undo others, and be undone itself."""

import asyncio
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import URL, text

from app.kit.db.engine import build_migration_engine
from app.kit.db.migrate import alembic_config
from tests.rig.database import settings_for

MAKES = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "kit_1", {head!r}


def upgrade() -> None:
    op.create_table("kit_made", sa.Column("id", sa.Integer(), primary_key=True))


def downgrade() -> None:
    op.drop_table("kit_made")
"""
UNDOES = """
from app.kit.db.revisions import redo, undo

revision, down_revision = "kit_2", "kit_1"


def upgrade() -> None:
    undo(["kit_1"])


def downgrade() -> None:
    redo(["kit_1"])
"""


@pytest.fixture
def config(own_database_url: URL, tmp_path: Path) -> Config:
    """Alembic on the service's revisions and these two."""
    config = alembic_config(settings_for(own_database_url))
    script = ScriptDirectory.from_config(config)
    (tmp_path / "makes.py").write_text(MAKES.format(head=script.get_current_head()))
    (tmp_path / "undoes.py").write_text(UNDOES)
    places = "\n".join([script.versions, str(tmp_path)])
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", places.replace("%", "%%"))
    return config


def has_made_table(config: Config) -> bool:
    """Whether the table of the first revision is in the database."""

    async def ask() -> bool:
        settings = config.attributes["settings"]
        engine = build_migration_engine(settings.database, "test")
        async with engine.connect() as connection:
            found = await connection.scalar(text("SELECT to_regclass('kit_made') IS NOT NULL"))
        await engine.dispose()
        return bool(found)

    return asyncio.run(ask())


def test_a_revision_undoes_another_and_brings_it_back(config: Config) -> None:
    command.upgrade(config, "kit_1")
    assert has_made_table(config)
    command.upgrade(config, "kit_2")
    assert not has_made_table(config)
    command.downgrade(config, "kit_1")
    assert has_made_table(config)
