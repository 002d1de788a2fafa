"""The diagram shows all columns and foreign keys, and `diagram --check` reports a stale file."""

from pathlib import Path

import pytest
from sqlalchemy import (
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
)

from app.about import NAME
from app.kit.cli import service
from app.kit.db.base import Base
from schema_diagram import FILE_NAME, mermaid, page
from tests.support.commands import run


@pytest.fixture
def models() -> MetaData:
    """Tables with one-to-one, one-to-many, self-referencing and circular foreign keys."""
    metadata = MetaData()
    Table(
        "kit_people",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("name", String(20), unique=True, nullable=False),
        Column("wage", Numeric(10, 2)),
        Column("boss_id", Integer, ForeignKey("kit_people.id")),
        Column("home_id", Integer, ForeignKey("kit_houses.id")),
    )
    Table(
        "kit_houses",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("owner_id", Integer, ForeignKey("kit_people.id"), nullable=False),
    )
    Table(
        "kit_keys",
        metadata,
        Column("person_id", Integer, ForeignKey("kit_people.id"), primary_key=True),
        Column("house_id", Integer, ForeignKey("kit_houses.id"), nullable=False),
    )
    Table(
        "kit_copies",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("person_id", Integer, nullable=False),
        Column("house_id", Integer, nullable=False),
        ForeignKeyConstraint(
            ["person_id", "house_id"], ["kit_keys.person_id", "kit_keys.house_id"]
        ),
    )
    return metadata


def test_mermaid_lists_each_column_and_foreign_key(models: MetaData) -> None:
    source = mermaid(models)
    assert '        varchar(20) name UK\n        numeric(10_2) wage  "nullable"\n' in source
    assert "        integer person_id PK, FK\n" in source
    assert '    "kit_people" |o--o{ "kit_people" : "boss_id"\n' in source
    assert '    "kit_people" ||--o{ "kit_houses" : "owner_id"\n' in source
    assert '    "kit_people" ||--o| "kit_keys" : "person_id"\n' in source
    assert '    "kit_keys" ||--o{ "kit_copies" : "person_id, house_id"\n' in source


def test_keywords_and_invalid_names_are_escaped() -> None:
    table = Table('say "end"', MetaData(), *(Column(name, Integer) for name in ("PK", "2 b")))
    source = mermaid(table.metadata)
    assert [line.split()[:2] for line in source.splitlines()[1:4]] == [
        ['"say', '_end_"'],
        ["integer", "_PK"],
        ["integer", "_2_b"],
    ]


def test_check_fails_when_the_file_is_missing_or_edited(tmp_path: Path) -> None:
    into = ["--into", str(tmp_path)]
    assert run(None, "diagram", "--check", *into).code == 1
    assert run(None, "diagram", *into).code == 0
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {FILE_NAME: page(NAME)}
    current = run(None, "diagram", "--check", *into)
    assert (current.code, "schema.md is current" in current.out) == (0, True)
    with (tmp_path / FILE_NAME).open("a") as file:
        file.write("by hand")
    ended = run(None, "diagram", "--check", *into)
    assert (ended.code, "schema.md is outdated" in ended.err) == (1, True)


def test_output_path_is_relative_to_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "PROJECT_ROOT", tmp_path)
    result = run(None, "diagram", "--into", str(tmp_path))
    assert result.out == "Wrote schema.md.\n"


def test_file_that_cannot_be_written_is_reported_with_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ended = run(None, "diagram", "--into", str(tmp_path / "file"))
    assert (ended.code, "Cannot write " in ended.err) == (2, True)


def test_every_table_of_the_service_is_in_the_diagram() -> None:
    assert all(f'    "{name}" {{' in page(NAME) for name in Base.metadata.tables)
