"""Reject models that PostgreSQL cannot store as declared, before a migration is generated.

PostgreSQL truncates names after 63 bytes, so that autogenerate finds a difference in each run.
SQLAlchemy shortens only names from the naming convention, with a hash at the end, and counts
characters instead of bytes. Foreign keys that form a cycle leave no table to create first.
"""

from collections.abc import Iterator
from typing import Any, cast

from alembic.autogenerate.api import AutogenContext
from alembic.operations.ops import UpgradeOps
from alembic.runtime.plugins import Plugin
from alembic.util import CommandError, DispatchPriority, PriorityDispatchResult
from sqlalchemy import Constraint, Enum, Index, MetaData, Table
from sqlalchemy.exc import IdentifierError
from sqlalchemy.sql import ddl

from app.kit.migrations.autogenerate.enum_types import native_enum
from app.kit.migrations.autogenerate.steps import DIALECT

LIMIT = 63  # bytes


def reject_models(
    context: AutogenContext, _operations: UpgradeOps, _schemas: set[str | None]
) -> PriorityDispatchResult:
    """Raise CommandError if a migration cannot create the models as they are declared."""
    if isinstance(context.metadata, MetaData):
        messages = long_names(context.metadata) + find_foreign_key_cycles(context.metadata)
        if messages:
            raise CommandError("\n".join(messages))
    return PriorityDispatchResult.CONTINUE


def stored_name(item: Constraint | Index) -> str | None:
    """Return the name of a constraint or index in the database, or None if it is unnamed."""
    name = _shortened(item)
    return None if name is None else name.encode()[:LIMIT].decode(errors="ignore")


def _shortened(item: Constraint | Index) -> str | None:
    """Return the name that SQLAlchemy renders."""
    if item.name is None:
        return None
    try:
        quoted = DIALECT.identifier_preparer.format_constraint(item)
    except IdentifierError:
        return str(item.name)
    return quoted[1:-1].replace('""', '"') if quoted and quoted.startswith('"') else quoted


def long_names(metadata: MetaData) -> list[str]:
    """Return an error message for each name in the models that PostgreSQL would truncate."""
    return sorted({message for table in metadata.tables.values() for message in _long_names(table)})


def _long_names(table: Table) -> Iterator[str]:
    for column in table.columns:
        yield from _judge(f"column of {table.name}", column.name)
        if enum := native_enum(column.type):
            yield from _judge("enum type", str(enum.name))
            for value in enum.enums:
                yield from _judge(f"value of the enum type {enum.name}", value)
        elif isinstance(column.type, Enum) and column.type.native_enum:
            yield f"column {table.name}.{column.name}: its Enum has no name. Add name=…."
    yield from _judge("table", table.name)
    for name in filter(None, [table.schema]):
        yield from _judge("schema", name)
    items: list[Constraint | Index] = [*table.constraints, *table.indexes]
    for item in items:
        yield from _judge(f"{type(item).__name__} of {table.name}", _shortened(item) or "")


def _judge(what: str, name: str) -> Iterator[str]:
    size = len(name.encode())
    if size > LIMIT:
        yield (
            f"{what}: the name {name} has {size} bytes, but PostgreSQL allows {LIMIT}. "
            "Choose a shorter name."
        )


def find_foreign_key_cycles(metadata: MetaData) -> list[str]:
    """Return an error message if foreign keys without `use_alter` form a cycle; otherwise []."""
    sort = cast("Any", ddl).sort_tables_and_constraints
    *_, (_, keys) = sort(metadata.tables.values())
    found = sorted(
        f"{key.table.fullname}.{', '.join(key.column_keys)}" for key in keys if not key.use_alter
    )
    named = " and ".join(found)
    message = (
        f"The foreign keys {named} form a cycle, so no table can be created first. "
        "Add use_alter=True to one of them that may be NULL."
    )
    return [message] if found else []


Plugin(__name__).add_autogenerate_comparator(
    reject_models, "schema", "models", priority=DispatchPriority.FIRST
)
