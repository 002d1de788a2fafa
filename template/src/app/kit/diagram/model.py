"""What an entity-relationship diagram shows of the models."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from sqlalchemy import (
    URL,
    Column,
    Dialect,
    ForeignKeyConstraint,
    Index,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)

from app.kit.db.url import DRIVER

_SHORT = {"timestamp with time zone": "timestamptz", "timestamp without time zone": "timestamp"}


@dataclass(frozen=True)
class Field:
    """A column."""

    name: str
    type: str
    is_key: bool
    refers: bool
    is_unique: bool
    may_be_empty: bool


@dataclass(frozen=True)
class Link:
    """A foreign key: a row of the child refers to one of the parent."""

    parent: str
    parent_field: str
    child: str
    child_field: str
    # Whether a row of the child may refer to none, and whether no two may refer to the same.
    may_be_empty: bool
    is_unique: bool


@dataclass(frozen=True)
class Diagram:
    """The tables, each with its columns, and what refers to what; all in a fixed order."""

    tables: dict[str, tuple[Field, ...]]
    links: tuple[Link, ...]


def diagram_of(metadata: MetaData) -> Diagram:
    """Read the models."""
    tables = sorted(metadata.tables.values(), key=lambda table: table.fullname)
    return Diagram(
        tables={table.fullname: tuple(_fields(table)) for table in tables},
        links=tuple(link for table in tables for link in _links(table)),
    )


def _fields(table: Table) -> Iterator[Field]:
    unique = _unique(table)
    for column in sorted(table.columns, key=lambda column: not column.primary_key):
        yield Field(
            name=column.name,
            type=_type(column),
            is_key=column.primary_key,
            refers=bool(column.foreign_keys),
            is_unique=(column.name,) in unique,
            may_be_empty=bool(column.nullable),
        )


def _links(table: Table) -> Iterator[Link]:
    unique = _unique(table)
    keys = [key for key in table.constraints if isinstance(key, ForeignKeyConstraint)]
    for key in sorted(keys, key=lambda key: [column.name for column in key.columns]):
        names = tuple(sorted(column.name for column in key.columns))
        first = key.elements[0]
        yield Link(
            parent=key.referred_table.fullname,
            parent_field=first.column.name,
            child=table.fullname,
            child_field=first.parent.name,
            may_be_empty=any(column.nullable for column in key.columns),
            is_unique=names in unique,
        )


def _unique(table: Table) -> set[tuple[str, ...]]:
    """The columns that no two rows share: of living rows too, where the index is partial."""
    found = [
        item
        for item in (*table.constraints, *table.indexes)
        if isinstance(item, PrimaryKeyConstraint | UniqueConstraint)
        or (isinstance(item, Index) and item.unique)
    ]
    return {tuple(sorted(column.name for column in item.columns)) for item in found}


@cache
def _dialect() -> Dialect:
    return URL.create(DRIVER).get_dialect()()


def _type(column: Column[object]) -> str:
    """The type in a word."""
    full = column.type.compile(dialect=_dialect()).lower()
    return re.sub(r"[^\w()\[\]-]+", "_", _SHORT.get(full, full)).strip("_")
