"""Reject names that are longer than PostgreSQL's limit of 63 bytes.

PostgreSQL truncates longer names, so that autogenerate finds a difference in each run. SQLAlchemy
shortens only names from the naming convention, with a hash at the end, and counts characters
instead of bytes.
"""

from collections.abc import Iterator

from alembic.autogenerate.api import AutogenContext
from alembic.operations.ops import (
    CreateCheckConstraintOp,
    DropConstraintOp,
    ModifyTableOps,
    UpgradeOps,
)
from alembic.runtime.plugins import Plugin
from alembic.util import CommandError, DispatchPriority, PriorityDispatchResult
from sqlalchemy import Constraint, Enum, Index, MetaData, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import IdentifierError

from app.kit.migrations.autogenerate.enum_types import native_enum

LIMIT = 63  # bytes

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]  # no annotations there
_PREPARER = _DIALECT.identifier_preparer


def stored_name(item: Constraint | Index) -> str | None:
    """Return the name of a constraint or index in the database, or None if it is unnamed."""
    name = _shortened(item)
    return None if name is None else name.encode()[:LIMIT].decode(errors="ignore")


def _shortened(item: Constraint | Index) -> str | None:
    """Return the name that SQLAlchemy renders."""
    if item.name is None:
        return None
    try:
        quoted = _PREPARER.format_constraint(item)
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


def reject_long_names(
    context: AutogenContext, _operations: UpgradeOps, _schemas: set[str | None]
) -> PriorityDispatchResult:
    """Raise CommandError if the models contain names that PostgreSQL would truncate."""
    if isinstance(context.metadata, MetaData) and (messages := long_names(context.metadata)):
        raise CommandError("\n".join(messages))
    return PriorityDispatchResult.CONTINUE


def match_shortened_checks(
    _context: AutogenContext,
    operations: ModifyTableOps,
    _schema: str | None,
    _name: str,
    _actual: Table | None,
    _declared: Table | None,
) -> PriorityDispatchResult:
    """Keep a CHECK constraint with a shortened name, which Alembic would drop and recreate."""
    dropped = {
        each.constraint_name: each for each in operations.ops if isinstance(each, DropConstraintOp)
    }
    for added in [each for each in operations.ops if isinstance(each, CreateCheckConstraintOp)]:
        name = stored_name(added.to_constraint())
        if name != added.constraint_name and name in dropped:
            operations.ops.remove(added)
            operations.ops.remove(dropped[name])
    return PriorityDispatchResult.CONTINUE


_plugin = Plugin(__name__)
_plugin.add_autogenerate_comparator(
    reject_long_names, "schema", "names", priority=DispatchPriority.FIRST
)
_plugin.add_autogenerate_comparator(
    match_shortened_checks, "table", "names", priority=DispatchPriority.LAST
)
