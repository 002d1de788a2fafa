"""An entity-relationship diagram of the models, in Mermaid's `erDiagram` syntax.

https://mermaid.js.org/syntax/entityRelationshipDiagram
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from sqlalchemy import URL, Column, Dialect, ForeignKeyConstraint, MetaData, Table, UniqueConstraint

from app.kit.db.connections.url import DRIVER

_SHORT = {"timestamp with time zone": "timestamptz", "timestamp without time zone": "timestamp"}
# Mermaid reads these words as key markers, so a column cannot have such a name.
_KEY_MARKERS = {"PK", "FK", "UK"}


@dataclass(frozen=True)
class Field:
    """A column of a table."""

    name: str
    type: str
    primary_key: bool
    foreign_key: bool
    unique: bool
    nullable: bool


@dataclass(frozen=True)
class Link:
    """A foreign key from the child table to the parent table."""

    parent: str
    child: str
    # The first column of the foreign key.
    child_field: str
    nullable: bool
    unique: bool


@dataclass(frozen=True)
class Diagram:
    """Tables with their columns, and the foreign keys between them, in a deterministic order."""

    tables: dict[str, tuple[Field, ...]]
    links: tuple[Link, ...]


def diagram_of(metadata: MetaData) -> Diagram:
    """Return the diagram of all tables in the metadata."""
    tables = sorted(metadata.tables.values(), key=lambda table: table.fullname)
    return Diagram(
        tables={table.fullname: tuple(_fields(table)) for table in tables},
        links=tuple(link for table in tables for link in _links(table)),
    )


def mermaid(diagram: Diagram) -> str:
    """Return the Mermaid source, which GitHub, GitLab and the documentation site render."""
    return "\n".join(["erDiagram", *_entities(diagram), *map(_relationship, diagram.links)]) + "\n"


def _fields(table: Table) -> Iterator[Field]:
    unique = _unique_columns(table)
    for column in sorted(table.columns, key=lambda column: not column.primary_key):
        yield Field(
            name=column.name,
            type=_type(column),
            primary_key=column.primary_key,
            foreign_key=bool(column.foreign_keys),
            unique=(column.name,) in unique,
            nullable=bool(column.nullable),
        )


def _links(table: Table) -> Iterator[Link]:
    unique = _unique_columns(table)
    keys = [key for key in table.constraints if isinstance(key, ForeignKeyConstraint)]
    for key in sorted(keys, key=lambda key: [column.name for column in key.columns]):
        yield Link(
            parent=key.referred_table.fullname,
            child=table.fullname,
            child_field=key.elements[0].parent.name,
            nullable=any(column.nullable for column in key.columns),
            unique=tuple(sorted(column.name for column in key.columns)) in unique,
        )


def _unique_columns(table: Table) -> set[tuple[str, ...]]:
    """Return each set of columns that has a unique constraint or a unique index."""
    found = [table.primary_key.columns, *(index.columns for index in table.indexes if index.unique)]
    found += [each.columns for each in table.constraints if isinstance(each, UniqueConstraint)]
    return {tuple(sorted(column.name for column in columns)) for columns in found}


@cache
def _dialect() -> Dialect:
    return URL.create(DRIVER).get_dialect()()


def _type(column: Column[object]) -> str:
    """Return the SQL type as one word, such as `numeric(10_2)`."""
    full = column.type.compile(dialect=_dialect()).lower()
    return re.sub(r"[^\w()\[\]-]+", "_", _SHORT.get(full, full)).strip("_")


def _entities(diagram: Diagram) -> Iterator[str]:
    for name, fields in diagram.tables.items():
        yield f"    {_quoted(name)} {{"
        yield from map(_attribute, fields)
        yield "    }"


def _attribute(field: Field) -> str:
    unique = field.unique and not field.primary_key
    markers = {"PK": field.primary_key, "FK": field.foreign_key, "UK": unique}
    keys = ", ".join(marker for marker, applies in markers.items() if applies)
    comment = ' "nullable"' if field.nullable else ""
    return f"        {_word(field.type)} {_word(field.name)} {keys}{comment}".rstrip()


def _relationship(link: Link) -> str:
    parent = "|o" if link.nullable else "||"
    child = "o|" if link.unique else "o{"
    tables = f"{_quoted(link.parent)} {parent}--{child} {_quoted(link.child)}"
    return f"    {tables} : {_quoted(link.child_field)}"


def _quoted(name: str) -> str:
    """Quote a table name: unquoted, `style`, `end` and `many` are keywords."""
    return '"' + re.sub(r'["%\\]', "_", name) + '"'


def _word(name: str) -> str:
    """Replace characters that Mermaid does not allow in types and column names."""
    word = re.sub(r"[^A-Za-z0-9_()\[\]-]", "_", name)
    return f"_{word}" if word in _KEY_MARKERS or not re.match(r"[A-Za-z_]", word) else word
