"""Generated migrations of enum types run up, down and up again, and keep the stored values."""

from typing import Any

import pytest
from alembic.util import CommandError
from sqlalchemy import ARRAY, Column, Enum, Integer, Table, Text

from app.kit.migrations.lock import MigrationFailed
from tests.conformance.features.migration_project import Project


def kind(*values: str, **options: Any) -> Enum:
    return Enum(*values, name="conformance_kind", **options)


def table(
    project: Project, *columns: Column[Any], name: str = "things", schema: str | None = None
) -> Table:
    return Table(
        f"conformance_{name}",
        project.declare(),
        Column("id", Integer, primary_key=True),
        *columns,
        schema=schema,
    )


def types(project: Project) -> list[str]:
    return project.execute(
        "SELECT typname || ':' || string_agg(enumlabel, ',' ORDER BY enumsortorder)"
        " FROM pg_enum e JOIN pg_type t ON t.oid = enumtypid GROUP BY typname ORDER BY 1"
    )


def test_enum_type_is_created_and_dropped_with_its_first_table(project: Project) -> None:
    table(project, Column("kind", kind("a", "b :c", "it's", "d::e"), server_default="b :c"))
    source = project.migrate()
    assert types(project) == ["conformance_kind:a,b :c,it's,d::e"]
    project.downgrade()
    assert types(project) == []
    assert "CREATE TYPE" in project.sql(), source


@pytest.mark.parametrize("array", [False, True])
def test_enum_column_is_added_to_existing_table(project: Project, array: bool) -> None:
    table(project)
    project.migrate()
    project.execute("INSERT INTO conformance_things VALUES (1)")
    values = kind("a", "b")
    table(project, Column("kind", ARRAY(values) if array else values))
    project.migrate()
    assert types(project) == ["conformance_kind:a,b"]
    table(project)
    project.migrate()
    assert types(project) == []


def test_enum_type_is_shared_by_two_tables(project: Project) -> None:
    table(project, Column("kind", kind("a", "b")))
    project.migrate()
    first = table(project, Column("kind", kind("a", "b")))
    Table("conformance_others", first.metadata, Column("kind", kind("a", "b"), primary_key=True))
    project.migrate()
    table(project, Column("kind", kind("a", "b")))
    project.migrate()
    assert types(project) == ["conformance_kind:a,b"]
    project.declare()
    project.migrate()
    assert types(project) == []


def test_added_value_can_be_the_new_default(project: Project) -> None:
    table(project, Column("kind", kind("a", "c"), server_default="a"))
    project.migrate()
    table(project, Column("kind", kind("_", "a", "b", "c"), server_default="b"))
    project.migrate()
    project.execute("INSERT INTO conformance_things VALUES (1)")
    project.downgrade()
    project.upgrade()
    assert project.execute("SELECT kind::text FROM conformance_things") == ["b"]


def test_renamed_value_is_kept_in_rows(project: Project) -> None:
    table(project, Column("kind", kind("a", "b", "c"), server_default="b"))
    project.migrate()
    project.execute("INSERT INTO conformance_things VALUES (1)")
    table(project, Column("kind", kind("a", "new", "c"), server_default="new"))
    source = project.migrate()
    assert project.execute("SELECT kind::text FROM conformance_things") == ["new"]
    assert "so this is a rename" in source
    assert any("rename" in change.what and change.risk for change in project.operations)


def test_removing_a_value_in_use_is_an_error(project: Project) -> None:
    table(
        project,
        Column("kind", kind("a", "b", "c"), server_default="b"),
        Column("kinds", ARRAY(kind("a", "b", "c"))),
    )
    project.migrate()
    project.execute("INSERT INTO conformance_things VALUES (1, 'b', '{c}')")
    table(
        project,
        Column("kind", kind("c", "a"), server_default="a"),
        Column("kinds", ARRAY(kind("c", "a"))),
    )
    project.revise()
    with pytest.raises(MigrationFailed, match=r"conformance_things\.kind still have 'b'"):
        project.upgrade()
    project.execute("UPDATE conformance_things SET kind = 'c'")
    project.upgrade()
    project.check()
    project.downgrade()
    project.upgrade()
    assert types(project) == ["conformance_kind:c,a"]


def test_value_is_removed_and_another_added(project: Project) -> None:
    table(project, Column("kind", kind("a", "b"), server_default="a"))
    project.migrate()
    project.execute("INSERT INTO conformance_things VALUES (1, 'b')")
    table(project, Column("kind", kind("b", "c"), server_default="c"))
    project.migrate()
    assert project.execute("SELECT kind::text FROM conformance_things") == ["b"]


@pytest.mark.parametrize("schema", [None, "public"])
def test_text_column_becomes_enum_and_text_again(project: Project, schema: str | None) -> None:
    table(project, Column("kind", Text, server_default="a", nullable=False), schema=schema)
    project.migrate()
    project.execute("INSERT INTO conformance_things VALUES (1, 'b')")
    table(project, Column("kind", kind("a", "b", schema=schema), server_default="b"), schema=schema)
    project.migrate()
    assert types(project) == ["conformance_kind:a,b"]
    table(project, Column("kind", Text), schema=schema)
    project.migrate()
    assert types(project) == []
    assert project.execute("SELECT kind FROM conformance_things") == ["b"]


def test_enum_type_and_table_in_another_schema(project: Project) -> None:
    def declare(*values: str) -> None:
        table(
            project,
            Column("kind", kind(*values, schema="Types"), server_default=values[0]),
            schema="conformance_billing",
        )

    declare("a", "b")
    project.migrate()
    declare("a", "b", "c")
    project.migrate()
    declare("b", "c")
    project.migrate()
    project.downgrade()
    project.downgrade()
    project.downgrade()
    assert types(project) == []


def test_one_type_with_different_values_is_rejected(project: Project) -> None:
    table(project, Column("kind", kind("a", "b")), Column("other", kind("a")))
    with pytest.raises(CommandError, match="conformance_kind with different values"):
        project.revise()
