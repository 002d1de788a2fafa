"""`diagram`: an entity-relationship diagram of the models, in docs/schema.md.

The diagram is in Mermaid's syntax: https://mermaid.js.org/syntax/entityRelationshipDiagram
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import Column, ForeignKeyConstraint, MetaData, Table, UniqueConstraint

from app.kit.cli.service import get_service, write_or_check
from app.kit.db.base import Base
from app.kit.migrations.autogenerate.steps import DIALECT
from app.kit.migrations.runner import PROJECT_ROOT

commands = typer.Typer()

DOCS = PROJECT_ROOT / "docs"
FILE_NAME = "schema.md"

_SHORT = {"timestamp with time zone": "timestamptz", "timestamp without time zone": "timestamp"}
# Mermaid reads these words as key markers, so a column cannot have such a name.
_KEY_MARKERS = {"PK", "FK", "UK"}


@commands.command()
def diagram(
    context: typer.Context,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit with 1 if schema.md is outdated")
    ] = False,
    into: Annotated[
        Path, typer.Option(help="The directory of schema.md", show_default="docs")
    ] = DOCS,
) -> None:
    """Write schema.md: the tables and foreign keys of the models as a Mermaid diagram."""
    name = get_service(context).name
    write_or_check(into / FILE_NAME, page(name), f"{name} diagram", check=check)


def page(name: str) -> str:
    """Return the Markdown page with the diagram. All models must be imported before."""
    return (
        f"# Tables of {name}\n\n"
        f"Generated from the models by `{name} diagram`. Do not edit.\n\n"
        f"```mermaid\n{mermaid(Base.metadata)}```\n"
    )


def mermaid(metadata: MetaData) -> str:
    """Return the Mermaid source, which GitHub, GitLab and the documentation site render."""
    tables = sorted(metadata.tables.values(), key=lambda table: table.fullname)
    entities = [line for table in tables for line in _entity(table)]
    relationships = [line for table in tables for line in _relationships(table)]
    return "\n".join(["erDiagram", *entities, *relationships]) + "\n"


def _entity(table: Table) -> Iterator[str]:
    unique = _unique_columns(table)
    yield f"    {_quoted(table.fullname)} {{"
    for column in sorted(table.columns, key=lambda column: not column.primary_key):
        markers = {
            "PK": column.primary_key,
            "FK": bool(column.foreign_keys),
            "UK": (column.name,) in unique and not column.primary_key,
        }
        keys = ", ".join(marker for marker, applies in markers.items() if applies)
        comment = ' "nullable"' if column.nullable else ""
        yield f"        {_word(_type(column))} {_word(column.name)} {keys}{comment}".rstrip()
    yield "    }"


def _relationships(table: Table) -> Iterator[str]:
    """Yield a line for each foreign key, named after its columns."""
    unique = _unique_columns(table)
    keys = [key for key in table.constraints if isinstance(key, ForeignKeyConstraint)]
    for key in sorted(keys, key=lambda key: [column.name for column in key.columns]):
        parent = "|o" if any(column.nullable for column in key.columns) else "||"
        child = "o|" if tuple(sorted(each.name for each in key.columns)) in unique else "o{"
        referred, label = _quoted(key.referred_table.fullname), _quoted(", ".join(key.column_keys))
        yield f"    {referred} {parent}--{child} {_quoted(table.fullname)} : {label}"


def _unique_columns(table: Table) -> set[tuple[str, ...]]:
    """Return each set of columns that has a unique constraint or a unique index."""
    found = [table.primary_key.columns, *(index.columns for index in table.indexes if index.unique)]
    found += [each.columns for each in table.constraints if isinstance(each, UniqueConstraint)]
    return {tuple(sorted(column.name for column in columns)) for columns in found}


def _type(column: Column[object]) -> str:
    """Return the SQL type as one word, such as `numeric(10_2)`."""
    full = column.type.compile(dialect=DIALECT).lower()
    return re.sub(r"[^\w()\[\]-]+", "_", _SHORT.get(full, full)).strip("_")


def _quoted(name: str) -> str:
    """Quote a table name: unquoted, `style`, `end` and `many` are keywords."""
    return '"' + re.sub(r'["%\\]', "_", name) + '"'


def _word(name: str) -> str:
    """Replace characters that Mermaid does not allow in types and column names."""
    word = re.sub(r"[^A-Za-z0-9_()\[\]-]", "_", name)
    return f"_{word}" if word in _KEY_MARKERS or not re.match(r"[A-Za-z_]", word) else word
