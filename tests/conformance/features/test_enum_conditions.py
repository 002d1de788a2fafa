"""Migrations of enum types that constraints, indexes, defaults and views use."""

from typing import Any

import pytest
from alembic.util import CommandError
from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    Column,
    Enum,
    Index,
    Integer,
    Table,
    Text,
    cast,
    text,
)
from sqlalchemy.exc import DBAPIError

from app.kit.migrations.lock import MigrationFailed
from tests.conformance.features.migration_project import Project


def kind(*values: str, **options: Any) -> Enum:
    return Enum(*values, name="conformance_kind", **options)


def table(project: Project, *items: Any) -> Table:
    identity = Column("id", Integer, primary_key=True)
    return Table("conformance_things", project.declare(), identity, *items)


def test_constraint_and_index_on_removed_value_are_recreated(project: Project) -> None:
    def declare(*values: str, condition: str) -> None:
        things = table(
            project,
            Column("kind", kind(*values), server_default=values[0], nullable=False),
            CheckConstraint(condition, name="kind_is_valid"),
        )
        Index("conformance_partial", things.c.id, postgresql_where=text(condition))

    declare("gone", "kept", condition="kind = 'gone' OR id > 0")
    project.migrate()
    project.execute("INSERT INTO conformance_things VALUES (1, 'kept')")
    declare("kept", condition="kind = 'kept' OR id > 0")
    project.migrate()


def test_enum_stored_as_text_gets_another_value(project: Project) -> None:
    def declare(*values: str) -> None:
        column: Column[Any] = Column(
            "kind", kind(*values, native_enum=False, create_constraint=True)
        )
        table(project, column)

    table(project)
    project.migrate()
    declare("a")
    project.migrate()
    declare("a", "b")
    project.migrate()
    declare("a", "c", "a longer one")
    project.migrate()
    project.execute("INSERT INTO conformance_things VALUES (1, 'a longer one')")
    with pytest.raises(DBAPIError, match="conformance_kind"):
        project.execute("INSERT INTO conformance_things VALUES (2, 'b')")


def test_server_default_rewritten_by_postgresql_is_stable(project: Project) -> None:
    table(
        project,
        Column("kind", kind("a", "b"), server_default=cast("a", kind("a", "b"))),
        Column(
            "kinds",
            ARRAY(kind("a", "b")),
            server_default=text("ARRAY['a', 'b']::conformance_kind[]"),
        ),
    )
    project.migrate()


def test_column_becomes_array_and_all_values_are_replaced(project: Project) -> None:
    table(project, Column("kind", kind("a", "b"), server_default="a"))
    project.migrate()
    project.execute("INSERT INTO conformance_things VALUES (1, 'b')")
    table(project, Column("kind", ARRAY(kind("a", "b")), server_default="{b}"))
    project.migrate()
    assert project.execute("SELECT kind::text FROM conformance_things") == ["{b}"]
    project.execute("DELETE FROM conformance_things")
    table(project, Column("kind", ARRAY(kind("c")), server_default="{c}"))
    project.migrate()


def test_error_names_view_that_uses_the_type(project: Project) -> None:
    table(project, Column("kind", kind("a", "b")))
    project.migrate()
    project.execute("CREATE VIEW conformance_kinds AS SELECT kind FROM conformance_things")
    table(project, Column("kind", kind("a")))
    project.revise()
    with pytest.raises(MigrationFailed, match="view conformance_kinds") as error:
        project.upgrade()
    assert "drop the objects" in str(error.value)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (Column("kind", kind("a" * 64)), "value of the enum type conformance_kind"),
        (Column("kind", Enum("a", "b")), "conformance_things.kind: its Enum has no name"),
    ],
)
def test_invalid_enum_is_rejected(project: Project, column: Column[Any], message: str) -> None:
    table(project, column, Column("note", Text))
    with pytest.raises(CommandError, match=message):
        project.revise()
