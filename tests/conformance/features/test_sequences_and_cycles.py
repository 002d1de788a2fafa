"""Migrations create sequences, and tables with circular foreign keys."""

import pytest
from alembic.util import CommandError
from sqlalchemy import (
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    MetaData,
    Sequence,
    Table,
    Text,
    UniqueConstraint,
)

from tests.conformance.features.migration_project import Project

FOREIGN_KEYS = "SELECT count(*) FROM pg_constraint WHERE contype = 'f'"


def numbers(metadata: MetaData, *columns: Column[int]) -> Table:
    return Table("conformance_numbers", metadata, Column("id", Integer, primary_key=True), *columns)


def test_sequence_of_a_column_is_created(project: Project) -> None:
    metadata = project.declare()
    seq = Sequence("conformance_seq", start=100, increment=5, metadata=metadata)
    numbers(metadata, Column("number", Integer, seq, server_default=seq.next_value()))
    project.migrate()
    project.execute("INSERT INTO conformance_numbers (id) VALUES (1), (2)")
    found = project.execute("SELECT number FROM conformance_numbers ORDER BY id")
    assert found == [100, 105]


def test_sequence_without_column_is_created_in_another_schema(project: Project) -> None:
    metadata = project.declare()
    Sequence(
        "Conformance seq", schema="conformance_apart", metadata=metadata, cycle=True, maxvalue=3
    )
    numbers(metadata)
    project.migrate()
    assert project.execute("SELECT nextval('conformance_apart.\"Conformance seq\"')") == [1]


def test_sequence_is_added_to_an_existing_table(project: Project) -> None:
    numbers(project.declare())
    project.migrate()
    metadata = project.declare()
    seq = Sequence("conformance_seq")
    numbers(metadata, Column("number", Integer, seq))
    project.migrate()
    assert project.execute("SELECT nextval('conformance_seq')") == [1]


@pytest.mark.parametrize("schema", [None, "conformance_apart"])
def test_tables_with_circular_foreign_keys(project: Project, schema: str | None) -> None:
    metadata = project.declare(schema)
    prefix = f"{schema}." if schema else ""
    Table(
        "conformance_teams",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("name", Text),
        Column(
            "captain_id",
            ForeignKey(f"{prefix}conformance_players.id", use_alter=True, ondelete="SET NULL"),
        ),
    )
    Table(
        "conformance_players",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("team_id", ForeignKey(f"{prefix}conformance_teams.id", ondelete="CASCADE")),
        Column("rival_id", ForeignKey(f"{prefix}conformance_players.id")),
    )
    project.migrate()
    assert project.execute(FOREIGN_KEYS) == [3]
    Table("conformance_other", project.declare(schema), Column("id", Integer, primary_key=True))
    project.migrate()
    project.downgrade()
    assert project.execute(FOREIGN_KEYS) == [3]


def circular_tables(metadata: MetaData, *, use_alter: bool) -> None:
    names = ["conformance_a", "conformance_b", "conformance_c"]
    for name, other in zip(names, [*names[1:], names[0]], strict=True):
        Table(
            name,
            metadata,
            Column("id", Integer, primary_key=True),
            Column("x", Integer),
            Column("y", Integer),
            UniqueConstraint("x", "y"),
            ForeignKeyConstraint(
                ["x", "y"], [f"{other}.x", f"{other}.y"], use_alter=use_alter and name == names[0]
            ),
        )


def test_circular_composite_foreign_keys_of_three_tables(project: Project) -> None:
    circular_tables(project.declare(), use_alter=True)
    project.migrate()
    assert project.execute(FOREIGN_KEYS) == [3]


def test_circular_foreign_keys_without_use_alter_are_rejected(project: Project) -> None:
    circular_tables(project.declare(), use_alter=False)
    with pytest.raises(CommandError, match=r"conformance_a.x, y and .* Add use_alter=True to one"):
        project.revise()


def test_circular_foreign_keys_are_added_to_existing_tables(project: Project) -> None:
    metadata = project.declare()
    Table("conformance_a", metadata, Column("id", Integer, primary_key=True))
    Table("conformance_b", metadata, Column("id", Integer, primary_key=True))
    project.migrate()
    metadata = project.declare()
    for name, other in [("a", "b"), ("b", "a")]:
        key = ForeignKey(f"conformance_{other}.id", use_alter=name == "a")
        identity = Column("id", Integer, primary_key=True)
        Table(f"conformance_{name}", metadata, identity, Column("other_id", key))
    project.migrate()
    assert project.execute(FOREIGN_KEYS) == [2]


def test_tables_are_dropped_after_tables_that_reference_them(project: Project) -> None:
    metadata = project.declare()
    for name, other in [("m", None), ("a", "m"), ("z", "a"), ("kept", "m")]:
        table = Table(f"conformance_{name}", metadata, Column("id", Integer, primary_key=True))
        if other:
            table.append_column(Column("other_id", ForeignKey(f"conformance_{other}.id")))
    project.migrate()
    Table("conformance_kept", project.declare(), Column("id", Integer, primary_key=True))
    project.migrate()


def test_foreign_key_references_a_constraint_of_the_same_migration(project: Project) -> None:
    Table(
        "conformance_a",
        project.declare(),
        Column("id", Integer, primary_key=True),
        Column("code", Text),
    )
    project.migrate()
    metadata = project.declare()
    Table(
        "conformance_a",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("code", Text, unique=True),
    )
    key = ForeignKey("conformance_a.code")
    Table(
        "conformance_b", metadata, Column("id", Integer, primary_key=True), Column("c", Text, key)
    )
    project.migrate()
    assert project.execute(FOREIGN_KEYS) == [1]
