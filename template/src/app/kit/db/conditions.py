"""Compare the conditions of partial indexes and CHECKs as far as Alembic does not.

Alembic compares their names. Two conditions cannot be compared in general, because PostgreSQL
rewrites them. They are created again when an index becomes partial or no longer is, when a native
enum type loses a value that they name, and when an enum stored as text gets other values.
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
from sqlalchemy import CheckConstraint, Enum, Index, String, Table
from sqlalchemy.sql.elements import conv
from sqlalchemy.sql.operators import in_op

from app.kit.db.enum_types import native_enum
from app.kit.db.enum_values import renamed_values
from app.kit.db.names import stored_name

_LITERAL = re.compile(r"'((?:[^']|'')*)'")


def compare_conditions(
    context: AutogenContext,
    operations: ModifyTableOps,
    schema: str | None,
    name: str,
    actual: Table | None,
    declared: Table | None,
) -> PriorityDispatchResult:
    """Create indexes and CHECKs again whose conditions differ."""
    if actual is None or declared is None:
        return PriorityDispatchResult.CONTINUE
    lost = set(_lost_values(actual, declared))
    indexes = {index.name: index for index in actual.indexes}
    for index in declared.indexes:
        old = indexes.get(index.name)
        if old is not None and _differ(_condition(old), _condition(index), lost):
            operations.ops += [DropIndexOp.from_index(old), CreateIndexOp.from_index(index)]
    _leave_checks_of_types_to_columns(operations)
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
    """Yield the values that the enum types of a table's columns lose."""
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
    """Return the type of the column that a CHECK limits to the values of an enum, or None."""
    if getattr(check.sqltext, "operator", None) is not in_op or len(check.columns) != 1:
        return None
    kind = next(iter(check.columns)).type
    is_text = isinstance(kind, Enum) and not kind.native_enum and kind.create_constraint
    return kind if is_text else None


def _leave_checks_of_types_to_columns(operations: ModifyTableOps) -> None:
    """Create the CHECK of an enum stored as text once: Alembic does with the type as well."""
    added = {each.column.name for each in operations.ops if isinstance(each, AddColumnOp)}
    for each in [*operations.ops]:
        kind = each.modify_type if isinstance(each, AlterColumnOp) else None
        if isinstance(each, AlterColumnOp) and isinstance(kind, Enum) and not kind.native_enum:
            each.modify_type = String(kind.length)
        if isinstance(each, CreateCheckConstraintOp):
            check: Any = each.to_constraint()
            if _checked_enum(check) and next(iter(check.columns)).name in added:
                operations.ops.remove(each)


Plugin(__name__).add_autogenerate_comparator(
    compare_conditions, "table", "conditions", priority=DispatchPriority.LAST
)
