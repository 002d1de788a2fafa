"""A migration changes the definitions of constraints, indexes, types and defaults."""

from typing import Any

import pytest
from sqlalchemy import (
    ARRAY,
    JSON,
    REAL,
    BigInteger,
    CheckConstraint,
    Column,
    Enum,
    ForeignKey,
    Index,
    Integer,
    Numeric,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import CITEXT, INT4RANGE, ExcludeConstraint

from tests.conformance.features.migration_project import Project


def items(project: Project, number: int) -> list[str]:
    """Declare a table; return the names of the objects whose definition depends on the number."""
    changed = number > 1
    table = Table(
        "conformance_items",
        project.declare(),
        Column("id", Integer, primary_key=True),
        Column("word", String(20)),
        Column(
            "parent_id",
            ForeignKey("conformance_items.id", name="parent", deferrable=changed),
        ),
        Column("json", JSON, server_default=f'{{"number": {number}}}'),
        Column("note", Text, server_default=f"it's {number}"),
        Column("words", ARRAY(String(number))),
        CheckConstraint(f"id > {number}", name="positive"),
        UniqueConstraint("word", name="later", deferrable=changed),
        UniqueConstraint("note", name="nulls", postgresql_nulls_not_distinct=changed),
        Index("partial", "word", postgresql_where=text(f"id > {number}")),
        Index("include", "word", postgresql_include=["note"] if changed else []),
        Index("using", "word", postgresql_using="hash" if changed else "btree"),
        Index("operators", "word", postgresql_ops={"word": "text_pattern_ops"} if changed else {}),
        Index("storage", "word", postgresql_with={"fillfactor": 50 + number}),
    )
    names = ["parent", "positive", "later", "nulls", *(str(each.name) for each in table.indexes)]
    return [*names, "json", "note", "words"]


def test_changed_definitions_are_migrated(project: Project) -> None:
    items(project, 1)
    project.migrate()

    names = items(project, 2)
    project.migrate()

    changes = "\n".join(change.what for change in project.operations)
    assert [name for name in names if name not in changes] == []


def test_operator_class_of_an_expression_is_compared_without_a_warning(project: Project) -> None:
    def declare(operators: str) -> None:
        table = Table("conformance_items", project.declare(), Column("word", String(20)))
        Index("expression", text(f"lower(word) {operators}"), _table=table)

    declare("text_pattern_ops")
    # Warnings are errors here.
    project.migrate()
    declare("varchar_pattern_ops")
    project.migrate()


def test_check_is_equal_after_a_restored_dump(project: Project) -> None:
    Table(
        "conformance_items",
        project.declare(),
        Column("kind", Enum("a", "b", name="kind", native_enum=False, create_constraint=True)),
    )
    project.migrate()
    read = (
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE conrelid = 'conformance_items'::regclass"
    )
    (definition,) = project.execute(read)
    name = "ck_conformance_items_kind"

    project.execute(
        f"ALTER TABLE conformance_items DROP CONSTRAINT {name}, ADD CONSTRAINT {name} {definition}"
    )

    assert project.execute(read) != [definition]
    project.check()


def test_check_and_index_of_a_column_that_becomes_an_enum_are_recreated(project: Project) -> None:
    def declare(kind: Enum | Text) -> None:
        column: Column[str] = Column("kind", kind, server_default="a")
        table = Table("conformance_items", project.declare(), Column("id", Integer), column)
        table.append_constraint(CheckConstraint("kind <> 'b' OR id > 0", name="valid"))
        Index("partial", "kind", postgresql_where=text("kind = 'a'"), _table=table)

    declare(Text())
    project.migrate()
    declare(Enum("a", "b", name="conformance_kind"))
    project.migrate()


def test_rename_of_an_enum_value_keeps_checks_and_indexes(project: Project) -> None:
    def declare(*values: str) -> None:
        kind: Column[str] = Column(
            "kind", Enum(*values, name="conformance_kind"), server_default=values[1]
        )
        table = Table("conformance_items", project.declare(), Column("id", Integer), kind)
        table.append_constraint(CheckConstraint(f"kind <> '{values[1]}' OR id > 0", name="valid"))
        Index("partial", "id", postgresql_where=text(f"kind = '{values[1]}'"), _table=table)

    declare("a", "b")
    project.migrate()
    declare("a", "c")
    project.migrate()
    assert [change.what for change in project.operations] == [
        "rename in the enum type conformance_kind: b to c"
    ]


def test_extension_of_the_same_migration_is_not_needed_to_compare(project: Project) -> None:
    def declare(default: str, *columns: Column[str]) -> None:
        json: Column[str] = Column("json", JSON, server_default=default)
        Table("conformance_items", project.declare(), Column("id", Integer), json, *columns)

    declare("{}")
    project.migrate()
    declare("[]", Column("word", CITEXT, index=True))
    path = project.revise()

    assert path is not None
    assert [change.what for change in project.operations] == [
        "add column conformance_items.word",
        "alter column conformance_items.json, server default",
        "create index ix_conformance_items_word",
    ]


def test_exclusion_constraint_is_added_to_a_table_and_then_ignored(project: Project) -> None:
    def declare(*operators: str) -> None:
        Table(
            "conformance_items",
            project.declare(),
            Column("id", Integer, primary_key=True),
            Column("range", INT4RANGE),
            *(ExcludeConstraint(("range", each), name="apart", using="gist") for each in operators),
        )

    declare()
    project.migrate()
    declare("&&")
    project.migrate()
    declare("-|-")
    project.check()
    declare()
    project.check()


def test_role_without_create_compares_names_and_column_types(project: Project) -> None:
    items(project, 1)
    project.migrate()
    (database,) = project.execute("SELECT quote_ident(current_database())")
    project.execute(f"ALTER DATABASE {database} SET role TO pg_read_all_data")
    assert project.execute("SELECT current_user::text") == ["pg_read_all_data"]

    items(project, 2)
    project.revise()
    (change,) = project.operations
    assert change.what.startswith("alter column conformance_items.words, type ARRAY")


def test_partitions_and_tables_of_extensions_are_kept(project: Project) -> None:
    Table(
        "conformance_events",
        project.declare(),
        Column("day", Integer, primary_key=True),
        Column("size", Integer, index=True),
        postgresql_partition_by="RANGE (day)",
    )
    project.migrate()
    project.execute("CREATE TABLE part PARTITION OF conformance_events FOR VALUES FROM (1) TO (9)")
    project.execute("CREATE TABLE of_extension (id integer PRIMARY KEY, word text UNIQUE)")
    project.execute("ALTER EXTENSION plpgsql ADD TABLE of_extension")
    project.check()

    project.declare()
    source = project.migrate()
    assert "drop_table" in source
    assert "of_extension" not in source


@pytest.mark.parametrize("kind", [SmallInteger, BigInteger, REAL, Numeric])
def test_numeric_default_is_equal_with_and_without_a_cast(project: Project, kind: Any) -> None:
    column: Any = Column("size", kind, server_default="-1")
    Table("conformance_items", project.declare(), column)
    project.migrate()
    project.execute("ALTER TABLE conformance_items ALTER COLUMN size SET DEFAULT -1")
    project.check()
    project.execute("ALTER TABLE conformance_items ALTER COLUMN size SET DEFAULT -2")
    assert project.revise()
