"""Autogenerate comparisons that Alembic lacks: some defaults, and constraints.

PostgreSQL rewrites the conditions of partial indexes and CHECKs, so they cannot be compared in
general. A migration creates them again in these cases:

- An index becomes partial, or is not partial any more.
- A native enum loses a value that the condition contains.
- The values of an enum stored as text change.

docs/database.md lists what is not compared.
"""

import re
from collections.abc import Iterator
from typing import Any

from alembic.autogenerate.api import AutogenContext
from alembic.operations.ops import (
    AddColumnOp,
    AddConstraintOp,
    AlterColumnOp,
    CreateCheckConstraintOp,
    CreateIndexOp,
    DropConstraintOp,
    DropIndexOp,
    ModifyTableOps,
)
from alembic.runtime.plugins import Plugin
from alembic.util import DispatchPriority, PriorityDispatchResult
from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    DefaultClause,
    Enum,
    Index,
    String,
    Table,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql.elements import conv
from sqlalchemy.sql.operators import in_op

from app.kit.migrations.autogenerate import enum_comparators, model_checks, operation_order
from app.kit.migrations.autogenerate.enum_types import native_enum
from app.kit.migrations.autogenerate.model_checks import stored_name
from app.kit.migrations.autogenerate.schema_steps import renamed_values
from app.kit.migrations.autogenerate.steps import default_sql

__all__ = ["COMPARISONS", "compare_conditions", "compare_defaults"]

# For `autogenerate_plugins` in migrations/env.py.
COMPARISONS = [
    "alembic.autogenerate.*",
    # Compares CHECK constraints by name.
    "alembic.ext.checkconstraint_byname",
    __name__,
    model_checks.__name__,
    operation_order.__name__,
    enum_comparators.__name__,
]

_WHOLE_CAST = re.compile(r"^CAST\((.*) AS [^()]+\)$", re.IGNORECASE | re.DOTALL)
_QUOTED = re.compile(r"('(?:[^']|'')*')")
_LITERAL = re.compile(r"'((?:[^']|'')*)'")
# White space, and the casts that PostgreSQL adds to a default, as in 'a'::kind.
_NOISE = re.compile(r"::(?:\"[^\"]+\"|[\w. ])+(?:\[\])*|\s+")


def compare_defaults(
    _context: AutogenContext,
    operation: AlterColumnOp,
    _schema: str | None,
    _table: str,
    _name: str,
    actual: Column[Any],
    declared: Column[Any],
) -> PriorityDispatchResult:
    """Compare server defaults of enum, JSON and text columns as text.

    Alembic compares them in PostgreSQL. This fails for enum values that the migration adds, for
    JSON, which has no `=` operator, and for text that contains a quote.
    """
    kind, old, new = declared.type, actual.server_default, declared.server_default
    is_json = isinstance(kind, JSON) and not isinstance(kind, postgresql.JSONB)
    is_text = isinstance(new, DefaultClause) and isinstance(new.arg, str)
    as_text = is_json or native_enum(kind) or (is_text and isinstance(kind, String))
    if not as_text or (old is None and new is None):
        return PriorityDispatchResult.CONTINUE
    operation.existing_server_default = old if isinstance(old, DefaultClause) else None
    if _default(actual) != _default(declared):
        default: Any = new
        operation.modify_server_default = default
    return PriorityDispatchResult.STOP


def _default(column: Column[Any]) -> str:
    text = _WHOLE_CAST.sub(r"\1", default_sql(column.server_default) or "")
    parts = _QUOTED.split(text)
    return "".join(part if part.startswith("'") else _NOISE.sub("", part.lower()) for part in parts)


def compare_conditions(
    context: AutogenContext,
    operations: ModifyTableOps,
    schema: str | None,
    name: str,
    actual: Table | None,
    declared: Table | None,
) -> PriorityDispatchResult:
    """Drop and create the indexes and CHECK constraints whose conditions differ."""
    if actual is None or declared is None:
        return PriorityDispatchResult.CONTINUE
    lost = set(_lost_values(actual, declared))
    indexes = {index.name: index for index in actual.indexes}
    for index in declared.indexes:
        old = indexes.get(index.name)
        if old is not None and _differ(_condition(old), _condition(index), lost):
            operations.ops += [DropIndexOp.from_index(old), CreateIndexOp.from_index(index)]
    _remove_duplicate_checks(operations)
    checks: Any = context.inspector.get_check_constraints(name, schema=schema)
    found = {check["name"]: check["sqltext"] for check in checks}
    for check in [each for each in declared.constraints if isinstance(each, CheckConstraint)]:
        stored = conv(stored_name(check) or "")
        condition = found.get(stored)
        literals = _literals(condition)
        enum = _checked_enum(check)
        if literals & lost or (condition and enum and literals != set(enum.enums)):
            before = CheckConstraint(str(condition), name=stored, table=actual)
            operations.ops += [
                DropConstraintOp.from_constraint(before),
                AddConstraintOp.from_constraint(check),
            ]
    return PriorityDispatchResult.CONTINUE


def _lost_values(actual: Table, declared: Table) -> Iterator[str]:
    """Yield the values that the migration removes from the enum types of a table's columns."""
    for column in declared.columns:
        old = actual.columns.get(column.name)
        before, after = native_enum(None if old is None else old.type), native_enum(column.type)
        if before and after and not renamed_values(before.enums, after.enums):
            yield from set(before.enums) - set(after.enums)


def _condition(index: Index) -> str | None:
    where = index.dialect_options["postgresql"].get("where")
    return None if where is None else str(where)


def _differ(old: str | None, new: str | None, lost: set[str]) -> bool:
    return (old is None) != (new is None) or bool(_literals(old) & lost)


def _literals(condition: str | None) -> set[str]:
    return {text.replace("''", "'") for text in _LITERAL.findall(condition or "")}


def _checked_enum(check: Any) -> Enum | None:
    """Return the enum whose values a CHECK constraint lists, or None."""
    if getattr(check.sqltext, "operator", None) is not in_op or len(check.columns) != 1:
        return None
    kind = next(iter(check.columns)).type
    is_text = isinstance(kind, Enum) and not kind.native_enum and kind.create_constraint
    return kind if is_text else None


def _remove_duplicate_checks(operations: ModifyTableOps) -> None:
    """Create the CHECK constraint of an enum stored as text once.

    Alembic creates it with the column's type, and again as a constraint of the table.
    """
    added = {each.column.name for each in operations.ops if isinstance(each, AddColumnOp)}
    for each in [*operations.ops]:
        kind = each.modify_type if isinstance(each, AlterColumnOp) else None
        if isinstance(each, AlterColumnOp) and isinstance(kind, Enum) and not kind.native_enum:
            each.modify_type = String(kind.length)
        if isinstance(each, CreateCheckConstraintOp):
            check: Any = each.to_constraint()
            if _checked_enum(check) and next(iter(check.columns)).name in added:
                operations.ops.remove(each)


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
    compare_defaults, "column", "server_default", priority=DispatchPriority.FIRST
)
for _comparator in (match_shortened_checks, compare_conditions):
    _plugin.add_autogenerate_comparator(
        _comparator, "table", _comparator.__name__, priority=DispatchPriority.LAST
    )
