"""The migrations, the models and the diagram in docs/ agree."""

import io
from contextlib import redirect_stdout

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import to_tuple
from sqlalchemy import URL

from app.about import NAME
from app.kit.migrations.runner import alembic_config
from schema_diagram import DOCS, FILE_NAME, page
from tests.support.database import settings_for


@pytest.fixture
def config(database_url: URL) -> Config:
    """An Alembic configuration for this worker's database, to read from."""
    return alembic_config(settings_for(database_url))


def test_models_need_no_further_migration(config: Config) -> None:
    command.check(config)


def test_migrations_have_a_single_head(config: Config) -> None:
    heads = ScriptDirectory.from_config(config).get_heads()
    assert len(heads) <= 1, "join them: uv run alembic merge heads -m 'merge two branches'"


def test_every_migration_can_be_downgraded_and_upgraded_again(own_database_url: URL) -> None:
    config = alembic_config(settings_for(own_database_url))
    for revision in ScriptDirectory.from_config(config).walk_revisions():
        # A downgrade to one of the predecessors of a merge undoes it, and may undo other branches.
        first, *_ = to_tuple(revision.down_revision) or ("base",)
        command.upgrade(config, revision.revision)
        command.downgrade(config, first)
        command.upgrade(config, revision.revision)
        command.downgrade(config, first)
    command.upgrade(config, "heads")
    command.check(config)


def test_sql_is_generated_without_a_database(config: Config) -> None:
    config.output_buffer = io.StringIO()
    with redirect_stdout(io.StringIO()):
        command.upgrade(config, "heads", sql=True)
    sql = config.output_buffer.getvalue()
    # Each migration is one transaction.
    revisions = list(ScriptDirectory.from_config(config).walk_revisions())
    assert sql.count("BEGIN;") >= len(revisions)


def test_diagram_in_docs_is_current_if_it_exists() -> None:
    diagram = DOCS / FILE_NAME
    assert not diagram.exists() or diagram.read_text() == page(NAME), f"run `{NAME} diagram`"
