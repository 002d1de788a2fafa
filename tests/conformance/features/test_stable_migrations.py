"""After a generated migration, autogenerate finds no difference."""

from collections.abc import Callable
from typing import Any

import pytest
from alembic.util import CommandError
from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    Enum,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    false,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import INT4RANGE, JSONB, ExcludeConstraint

from tests.conformance.features.migration_project import Project


def long_names(metadata: MetaData) -> Table:
    column = "a_rather_long_column_name_"
    name = "conformance_" + "a_rather_long_table_name_" * 2
    Table("conformance_parents", metadata, Column("id", Integer, primary_key=True))
    return Table(
        name,
        metadata,
        Column("id", Integer, primary_key=True),
        Column(f"{column}1", Integer, index=True),
        Column(f"{column}2", Integer, unique=True),
        Column(f"{column}3", ForeignKey("conformance_parents.id"), index=True),
        CheckConstraint(f"{column}1 > 0", name=f"{column}is_positive"),
        UniqueConstraint(f"{column}1", f"{column}2"),
    )


def defaults(metadata: MetaData) -> Table:
    return Table(
        "conformance_defaults",
        metadata,
        Column("id", Uuid, server_default=func.gen_random_uuid(), primary_key=True),
        Column("json", JSON, server_default='{"a": 1}'),
        Column("jsonb", JSONB, server_default=text("'{}'::jsonb")),
        Column("at", DateTime(timezone=True), server_default=text("clock_timestamp()")),
        Column("words", ARRAY(Text), server_default="{}"),
        Column("word", Text, server_default="it's"),
        Column("flag", Boolean, server_default=false()),
        Column("number", Integer, Computed("1 + 1", persisted=True), comment="it's"),
        Column("count", BigInteger, Identity(always=True, start=5)),
        Column("kind", Enum("aa", "b", name="k", native_enum=False, create_constraint=True)),
        comment="a table",
    )


def indexes(metadata: MetaData) -> Table:
    table = Table(
        "conformance_indexes",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("word", Text),
        Column("range", INT4RANGE),
        Column("json", JSONB),
        Column(
            "parent",
            ForeignKey("conformance_indexes.id", deferrable=True, initially="DEFERRED"),
        ),
        Index("conformance_lower", text("lower(word)"), unique=True),
        Index("conformance_include", "id", postgresql_include=["word"]),
        Index("conformance_partial", "word", postgresql_where=text("word IS NOT NULL")),
        Index(
            "conformance_gin",
            "json",
            postgresql_using="gin",
            postgresql_ops={"json": "jsonb_path_ops"},
        ),
        UniqueConstraint("word", name="conformance_nulls", postgresql_nulls_not_distinct=True),
        UniqueConstraint("parent", name="conformance_later", deferrable=True),
        ExcludeConstraint(("range", "&&"), name="conformance_apart", using="gist"),
        CheckConstraint("word <> ''", name="word_is_filled"),
    )
    Index("conformance_mixed", func.lower(table.c.word), table.c.id.desc().nulls_last())
    return table


@pytest.mark.parametrize("declare", [long_names, defaults, indexes])
def test_second_migration_is_empty(project: Project, declare: Callable[[MetaData], Table]) -> None:
    declare(project.declare())
    project.migrate()


LONG, WIDE = "n" * 64, "ö" * 40


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (UniqueConstraint("b", name=LONG), "UniqueConstraint of conformance_t"),
        (Index(LONG, "b", unique=True), "Index of conformance_t"),
        (Index(WIDE, "b"), "80 bytes"),
        (CheckConstraint("b > 0", name=WIDE), "CheckConstraint of conformance_t"),
        (PrimaryKeyConstraint("b", name=LONG), "PrimaryKeyConstraint of conformance_t"),
        (Column("c", ForeignKey("conformance_t.b", name=LONG)), "ForeignKeyConstraint"),
        (Column("c", Enum("a", name=WIDE)), "enum type: the name ö"),
        (Column(LONG, Integer), "column of conformance_t"),
        (Column("ä" * 40, Integer, unique=True), "column of conformance_t"),
    ],
)
def test_name_longer_than_63_bytes_is_rejected(project: Project, item: Any, message: str) -> None:
    Table("conformance_t", project.declare(), Column("b", Integer), item)
    with pytest.raises(CommandError, match=message):
        project.revise()
