"""`revision` generates a migration from the models, and reports what to review."""

import asyncio
import re
from collections.abc import Generator
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.operations.ops import AddColumnOp, AlterColumnOp, MigrateOperation
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Column, ForeignKey, Integer, Table, text

from app.about import NAME
from app.kit.cli import service
from app.kit.cli.commands import migrate
from app.kit.db.base import Base
from app.kit.db.engine import build_migration_engine
from app.kit.migrations.autogenerate.review import reviewed_operations
from app.settings import Settings
from tests.conformance.support.migrations import add_revision, alembic_with
from tests.support.commands import CommandResult, run
from tests.support.database import settings_for


@pytest.fixture
def config(own_database_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """An Alembic configuration for a separate folder, with one applied migration."""
    config = alembic_with(tmp_path, settings_for(own_database_url))
    add_revision(config, tmp_path, "kit_first", "pass")
    command.upgrade(config, "heads")

    def load_config(_settings: Settings) -> Config:
        return config

    monkeypatch.setattr(migrate, "alembic_config", load_config)
    monkeypatch.setattr(service, "script_directory", lambda: ScriptDirectory.from_config(config))
    return config


def execute(url: URL, *statements: str) -> None:
    """Change the schema without a migration."""

    async def run_statements() -> None:
        engine = build_migration_engine(settings_for(url).database, "test")
        async with engine.begin() as connection:
            for statement in statements:
                await connection.execute(text(statement))
        await engine.dispose()

    asyncio.run(run_statements())


@pytest.fixture
def notes() -> Generator[Table]:
    """A table that is in the metadata during the test."""
    # Not a mapped class, because its mapper would remain.
    table = Table(
        "kit_new",
        Base.metadata,
        Column("id", Integer, primary_key=True),
        Column("parent_id", Integer, ForeignKey("kit_new.id", ondelete="CASCADE"), index=True),
    )
    yield table
    Base.metadata.remove(table)


def revision(url: URL) -> CommandResult:
    """Generate a migration."""
    return run(url, "revision", "-m", "add a thing")


def written(folder: Path) -> list[Path]:
    """Return the migrations that the command wrote."""
    return list(folder.glob("*_add_a_thing.py"))


@pytest.mark.usefixtures("config")
def test_no_migration_without_differences(own_database_url: URL, tmp_path: Path) -> None:
    result = revision(own_database_url)
    assert result == (0, "The models and the migrations agree: no migration was written.\n", "")
    assert written(tmp_path) == []


@pytest.mark.usefixtures("notes")
def test_generated_migration_can_be_applied(
    config: Config, own_database_url: URL, tmp_path: Path
) -> None:
    result = revision(own_database_url)
    (path,) = written(tmp_path)
    first_line, *steps = result.out.splitlines()
    assert (result.code, first_line, result.err) == (0, str(path), "")
    assert steps[:2] == ["  create table kit_new", "  create index ix_kit_new_parent_id"]
    assert f"`{NAME} migrate`" in steps[-1]
    command.upgrade(config, "heads")
    assert revision(own_database_url).out.startswith("The models and the migrations agree")


@pytest.mark.usefixtures("config", "notes")
def test_risky_operations_are_reported(own_database_url: URL) -> None:
    execute(
        own_database_url,
        "CREATE TABLE kit_new (id integer PRIMARY KEY, word text NOT NULL)",
        "CREATE TABLE kit_old (id integer)",
    )
    output = revision(own_database_url).out
    assert re.search(r"drop table kit_old\n    ! its data is lost", output)
    assert re.search(r"drop column kit_new\.word\n    ! .* new_column_name", output)
    assert re.search(r"create index ix_kit_new_parent_id\n    ! .*concurrently", output)
    assert re.search(r"add constraint fk_kit_new_parent_id\n    ! blocks writes", output)


@pytest.mark.parametrize(
    ("operation", "risk"),
    [
        (AddColumnOp("kit", Column("a", Integer, nullable=False)), "fails if the table has rows"),
        (AddColumnOp("kit", Column("a", Integer, nullable=False, server_default="1")), None),
        (AddColumnOp("kit", Column("a", Integer)), None),
        (AlterColumnOp("kit", "a", modify_nullable=False), "fails if one is NULL"),
        (AlterColumnOp("kit", "a", modify_nullable=False), "blocks reads and writes"),
        (AlterColumnOp("kit", "a", modify_type=Integer()), "may rewrite it"),
        (
            AlterColumnOp("kit", "a", modify_type=Integer(), modify_nullable=False),
            "may rewrite it, and fails if one is NULL",
        ),
        (AlterColumnOp("kit", "a", modify_nullable=True), None),
    ],
)
def test_each_risk_of_a_column_change_is_reported(
    operation: MigrateOperation, risk: str | None
) -> None:
    (change,) = reviewed_operations([operation])
    assert change.risk is None if risk is None else risk in (change.risk or "")


@pytest.mark.usefixtures("notes")
def test_pending_migration_is_an_error(
    config: Config, own_database_url: URL, tmp_path: Path
) -> None:
    add_revision(config, tmp_path, "kit_second", "pass")
    result = revision(own_database_url)
    assert (result.code, result.out) == (2, "")
    assert "is at migration kit_first, the code at kit_second" in result.err
    assert f"`{NAME} migrate`" in result.err
    assert written(tmp_path) == []


@pytest.mark.usefixtures("notes")
def test_multiple_heads_are_an_error(config: Config, own_database_url: URL, tmp_path: Path) -> None:
    add_revision(config, tmp_path, "kit_left", "pass")
    second = (tmp_path / "kit_left.py").read_text().replace("kit_left", "kit_right")
    (tmp_path / "kit_right.py").write_text(second)
    result = revision(own_database_url)
    assert result.code == 2
    assert "multiple heads: kit_left, kit_right" in result.err
    assert "alembic merge heads" in result.err
    assert written(tmp_path) == []
