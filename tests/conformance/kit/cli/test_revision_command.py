"""`revision` writes what the models have and the database has not, and says what to review."""

import asyncio
import re
from collections.abc import Generator
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.operations.ops import AddColumnOp, AlterColumnOp, MigrateOperation
from sqlalchemy import URL, Column, ForeignKey, Integer, Table, text

from app.about import NAME
from app.kit.commands import schema, service
from app.kit.db.base import Base
from app.kit.db.engine import build_migration_engine
from app.kit.db.review import changes_of
from app.settings import Settings
from tests.conformance.support.revisions import add_revision, alembic_with
from tests.rig.commands import Ended, run
from tests.rig.database import settings_for


@pytest.fixture
def config(own_database_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """Alembic that writes into a place of the test, where one revision is, which is applied."""
    config = alembic_with(tmp_path, settings_for(own_database_url))
    add_revision(config, tmp_path, "kit_first", "pass")
    command.upgrade(config, "heads")

    def given(_settings: Settings) -> Config:
        return config

    monkeypatch.setattr(schema, "alembic_config", given)
    monkeypatch.setattr(service, "alembic_config", given)
    return config


def execute(url: URL, *statements: str) -> None:
    """Change the schema behind the back of Alembic."""

    async def run_them() -> None:
        engine = build_migration_engine(settings_for(url).database, "test")
        async with engine.begin() as connection:
            for statement in statements:
                await connection.execute(text(statement))
        await engine.dispose()

    asyncio.run(run_them())


@pytest.fixture
def notes() -> Generator[Table]:
    """A table that there is in the models for a while."""
    # Not by a class: the mapper of one would stay.
    table = Table(
        "kit_new",
        Base.metadata,
        Column("id", Integer, primary_key=True),
        Column("parent_id", Integer, ForeignKey("kit_new.id", ondelete="CASCADE"), index=True),
    )
    yield table
    Base.metadata.remove(table)


def revision(url: URL) -> Ended:
    """Write one on a database."""
    return run(url, "revision", "-m", "add a thing")


def written(place: Path) -> list[Path]:
    """The revisions that the command wrote."""
    return list(place.glob("*_add_a_thing.py"))


@pytest.mark.usefixtures("config")
def test_where_models_and_database_agree_nothing_is_written(
    own_database_url: URL, tmp_path: Path
) -> None:
    ended = revision(own_database_url)
    assert ended == (0, "The models and the migrations agree: no migration was written.\n", "")
    assert written(tmp_path) == []


@pytest.mark.usefixtures("notes")
def test_what_the_models_have_is_written_and_can_be_run(
    config: Config, own_database_url: URL, tmp_path: Path
) -> None:
    ended = revision(own_database_url)
    (path,) = written(tmp_path)
    place, *steps = ended.out.splitlines()
    assert (ended.code, place, ended.err) == (0, str(path), "")
    assert steps[:2] == ["  create table kit_new", "  create index ix_kit_new_parent_id"]
    assert f"`{NAME} migrate`" in steps[-1]
    command.upgrade(config, "heads")
    assert revision(own_database_url).out.startswith("The models and the migrations agree")


@pytest.mark.usefixtures("config", "notes")
def test_what_may_do_harm_is_said_with_its_step(own_database_url: URL) -> None:
    execute(
        own_database_url,
        "CREATE TABLE kit_new (id integer PRIMARY KEY, word text NOT NULL)",
        "CREATE TABLE kit_old (id integer)",
    )
    said = revision(own_database_url).out
    assert re.search(r"drop table kit_old\n    ! its data is lost", said)
    assert re.search(r"drop column kit_new\.word\n    ! .* new_column_name", said)
    assert re.search(r"create index ix_kit_new_parent_id\n    ! .*concurrently", said)
    assert re.search(r"add constraint fk_kit_new_parent_id\n    ! blocks writes", said)


@pytest.mark.parametrize(
    ("operation", "risk"),
    [
        (AddColumnOp("kit", Column("a", Integer, nullable=False)), "fails if the table has rows"),
        (AddColumnOp("kit", Column("a", Integer, nullable=False, server_default="1")), None),
        (AddColumnOp("kit", Column("a", Integer)), None),
        (AlterColumnOp("kit", "a", modify_nullable=False), "fails if one is NULL"),
        (AlterColumnOp("kit", "a", modify_type=Integer()), "may rewrite it"),
        (AlterColumnOp("kit", "a", modify_nullable=True), None),
    ],
)
def test_each_risk_of_a_column_is_known(operation: MigrateOperation, risk: str | None) -> None:
    (change,) = changes_of([operation])
    assert change.risk is None if risk is None else risk in (change.risk or "")


@pytest.mark.usefixtures("notes")
def test_a_database_that_is_behind_is_refused(
    config: Config, own_database_url: URL, tmp_path: Path
) -> None:
    add_revision(config, tmp_path, "kit_second", "pass")
    ended = revision(own_database_url)
    assert (ended.code, ended.out) == (2, "")
    assert "is at migration kit_first, the code at kit_second" in ended.err
    assert f"`{NAME} migrate`" in ended.err
    assert written(tmp_path) == []


@pytest.mark.usefixtures("notes")
def test_where_the_revisions_have_parted_none_is_written(
    config: Config, own_database_url: URL, tmp_path: Path
) -> None:
    add_revision(config, tmp_path, "kit_left", "pass")
    beside = (tmp_path / "kit_left.py").read_text().replace("kit_left", "kit_right")
    (tmp_path / "kit_right.py").write_text(beside)
    ended = revision(own_database_url)
    assert ended.code == 2
    assert "multiple heads: kit_left, kit_right" in ended.err
    assert "alembic merge heads" in ended.err
    assert written(tmp_path) == []
