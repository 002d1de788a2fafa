"""Reject models that PostgreSQL cannot store as declared, before a migration is generated.

PostgreSQL truncates names after 63 bytes, so that autogenerate finds a difference in each run.
SQLAlchemy shortens only names from the naming convention, with a hash at the end, and counts
characters instead of bytes. Foreign keys that form a cycle leave no table to create first.
"""

from collections.abc import Iterator
from typing import Any, cast

from alembic.util import CommandError
from sqlalchemy import Constraint, Enum, Index, MetaData, Table
from sqlalchemy.exc import IdentifierError
from sqlalchemy.sql import ddl

from app.kit.migrations.autogenerate.steps import DIALECT, native_enum

MAX_BYTES = 63


def reject_models(metadata: MetaData) -> None:
    """Raise CommandError if a migration cannot create the models as they are declared."""
    if messages := long_names(metadata) + find_foreign_key_cycles(metadata):
        raise CommandError("\n".join(messages))


def stored_name(item: Constraint | Index) -> str | None:
    """Return the name of a constraint or index in the database, or None if it is unnamed."""
    name = _rendered_name(item)
    return None if name is None else name.encode()[:MAX_BYTES].decode(errors="ignore")


def _rendered_name(item: Constraint | Index) -> str | None:
    """Return the name as SQLAlchemy renders it: shortened, if it is from the naming convention."""
    if item.name is None:
        return None
    try:
        quoted = DIALECT.identifier_preparer.format_constraint(item)
    except IdentifierError:
        return str(item.name)
    return quoted[1:-1].replace('""', '"') if quoted and quoted.startswith('"') else quoted


def long_names(metadata: MetaData) -> list[str]:
    """Return an error message for each name that PostgreSQL would truncate, or that is missing."""
    messages = {
        f"{what}: the name {name} has {size} bytes, but PostgreSQL allows {MAX_BYTES}. "
        "Choose a shorter name."
        for table in metadata.tables.values()
        for what, name in _names(table)
        if (size := len(name.encode())) > MAX_BYTES
    }
    unnamed = {
        f"column {table.name}.{column.name}: its Enum has no name. Add name=…."
        for table in metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, Enum) and column.type.native_enum and not column.type.name
    }
    return sorted(messages | unnamed)


def _names(table: Table) -> Iterator[tuple[str, str]]:
    """Yield each name in the definition of a table, after the kind of object that has it."""
    yield "table", table.name
    yield "schema", table.schema or ""
    for column in table.columns:
        yield f"column of {table.name}", column.name
        if enum := native_enum(column.type):
            yield "enum type", str(enum.name)
            yield from ((f"value of the enum type {enum.name}", value) for value in enum.enums)
    items: list[Constraint | Index] = [*table.constraints, *table.indexes]
    for item in items:
        yield f"{type(item).__name__} of {table.name}", _rendered_name(item) or ""


def find_foreign_key_cycles(metadata: MetaData) -> list[str]:
    """Return an error message if foreign keys without `use_alter` form a cycle; otherwise []."""
    sort = cast("Any", ddl).sort_tables_and_constraints
    # The last item has no table, only the foreign keys that SQLAlchemy removed to sort the tables.
    *_, (_, keys) = sort(metadata.tables.values())
    cycle = sorted(
        f"{key.table.fullname}.{', '.join(key.column_keys)}" for key in keys if not key.use_alter
    )
    message = (
        f"The foreign keys {' and '.join(cycle)} form a cycle, so no table can be created first. "
        "Add use_alter=True to one of them that may be NULL."
    )
    return [message] if cycle else []
