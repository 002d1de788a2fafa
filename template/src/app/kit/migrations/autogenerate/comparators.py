"""Autogenerate comparisons that Alembic lacks: some defaults, and constraints.

PostgreSQL rewrites the conditions of partial indexes and CHECKs, so they cannot be compared in
general. A migration creates them again in these cases:

- An index becomes partial, or is not partial any more.
- A native enum loses a value that the condition contains.
- The values of an enum stored as text change.

docs/database.md lists what is not compared.
"""

import re
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
    UpgradeOps,
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
    MetaData,
    String,
    Table,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql.elements import conv
from sqlalchemy.sql.operators import in_op

from app.kit.migrations.autogenerate.enum_comparators import (
    compare_enums,
    is_array_change,
    render_type,
)
from app.kit.migrations.autogenerate.model_checks import reject_models, stored_name
from app.kit.migrations.autogenerate.operation_order import keep_equal_constraints, order_operations
from app.kit.migrations.autogenerate.schema_steps import missing_objects, renamed_values
from app.kit.migrations.autogenerate.steps import default_sql, native_enum

__all__ = ["COMPARISONS"]

# For `autogenerate_plugins` in migrations/env.py.
COMPARISONS = [
    "alembic.autogenerate.*",
    # Compares CHECK constraints by name.
    "alembic.ext.checkconstraint_byname",
    __name__,
]

_WHOLE_CAST = re.compile(r"^CAST\((.*) AS [^()]+\)$", re.IGNORECASE | re.DOTALL)
_QUOTED = re.compile(r"('(?:[^']|'')*')")
_LITERAL = re.compile(r"'((?:[^']|'')*)'")
# White space, and the casts that PostgreSQL adds to a default, as in 'a'::kind.
_NOISE = re.compile(r"::(?:\"[^\"]+\"|[\w. ])+(?:\[\])*|\s+")


def _check_models(
    context: AutogenContext, _operations: UpgradeOps, _schemas: set[str | None]
) -> PriorityDispatchResult:
    if isinstance(context.metadata, MetaData):
        reject_models(context.metadata)
    return PriorityDispatchResult.CONTINUE


def _complete_migration(
    context: AutogenContext, operations: UpgradeOps, _schemas: set[str | None]
) -> PriorityDispatchResult:
    """Sort the operations of Alembic, and add those for enum types, schemas and sequences."""
    metadata = context.metadata
    if isinstance(metadata, MetaData) and context.connection is not None:
        # Set here, so that migrations/env.py only has to list COMPARISONS.
        options: dict[str, Any] = context.opts
        options["render_item"] = options.get("render_item") or render_type
        order_operations(operations)
        compare_enums(operations, metadata, context.inspector)
        # Schemas before types, and types before tables.
        operations.ops = [*missing_objects(metadata, context.inspector), *operations.ops]
    return PriorityDispatchResult.CONTINUE


def _compare_type(
    _context: AutogenContext,
    operation: AlterColumnOp,
    _schema: str | None,
    _table: str,
    _name: str,
    actual: Column[Any],
    declared: Column[Any],
) -> PriorityDispatchResult:
    if is_array_change(actual.type, declared.type):
        operation.modify_type = declared.type
        return PriorityDispatchResult.STOP
    return PriorityDispatchResult.CONTINUE


def _compare_default(
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
    if _normalized_default(actual) != _normalized_default(declared):
        default: Any = new
        operation.modify_server_default = default
    return PriorityDispatchResult.STOP


def _normalized_default(column: Column[Any]) -> str:
    text = _WHOLE_CAST.sub(r"\1", default_sql(column.server_default) or "")
    parts = _QUOTED.split(text)
    return "".join(part if part.startswith("'") else _NOISE.sub("", part.lower()) for part in parts)


def _compare_table(
    context: AutogenContext,
    operations: ModifyTableOps,
    schema: str | None,
    name: str,
    actual: Table | None,
    declared: Table | None,
) -> PriorityDispatchResult:
    keep_equal_constraints(context, operations)
    if actual is not None and declared is not None:
        removed_values = _removed_values(actual, declared)
        _compare_indexes(operations, actual, declared, removed_values)
        _remove_duplicate_checks(operations)
        checks: Any = context.inspector.get_check_constraints(name, schema=schema)
        conditions = {check["name"]: check["sqltext"] for check in checks}
        _compare_checks(operations, actual, declared, conditions, removed_values)
    return PriorityDispatchResult.CONTINUE


def _removed_values(actual: Table, declared: Table) -> set[str]:
    """Return the values that the migration removes from the enum types of a table's columns."""
    removed: set[str] = set()
    for column in declared.columns:
        old = actual.columns.get(column.name)
        before, after = native_enum(None if old is None else old.type), native_enum(column.type)
        if before and after and not renamed_values(before.enums, after.enums):
            removed |= set(before.enums) - set(after.enums)
    return removed


def _compare_indexes(
    operations: ModifyTableOps, actual: Table, declared: Table, removed_values: set[str]
) -> None:
    indexes = {index.name: index for index in actual.indexes}
    # Alembic already creates an index again if its columns change.
    recreated = {each.index_name for each in operations.ops if isinstance(each, DropIndexOp)}
    for new in declared.indexes:
        if (old := indexes.get(new.name)) is None or old.name in recreated:
            continue
        before, after = _condition(old), _condition(new)
        if (before is None) != (after is None) or _literals(before) & removed_values:
            operations.ops += [DropIndexOp.from_index(old), CreateIndexOp.from_index(new)]


def _condition(index: Index) -> str | None:
    where = index.dialect_options["postgresql"].get("where")
    return None if where is None else str(where)


def _literals(condition: str | None) -> set[str]:
    return {text.replace("''", "'") for text in _LITERAL.findall(condition or "")}


def _compare_checks(
    operations: ModifyTableOps,
    actual: Table,
    declared: Table,
    conditions: dict[str | None, str],
    removed_values: set[str],
) -> None:
    """Drop and create the CHECK constraints whose values change."""
    for check in [each for each in declared.constraints if isinstance(each, CheckConstraint)]:
        name = conv(stored_name(check) or "")
        condition = conditions.get(name)
        stored, enum = _literals(condition), _checked_enum(check)
        if stored & removed_values or (condition and enum and stored != set(enum.enums)):
            old = CheckConstraint(str(condition), name=name, table=actual)
            drop = DropConstraintOp.from_constraint(old)
            operations.ops += [drop, AddConstraintOp.from_constraint(check)]


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
            # Without the Enum, ALTER TYPE creates no constraint. `_compare_checks` creates it.
            each.modify_type = String(kind.length)
        if isinstance(each, CreateCheckConstraintOp):
            check: Any = each.to_constraint()
            if _checked_enum(check) and next(iter(check.columns)).name in added:
                operations.ops.remove(each)


_plugin = Plugin(__name__)
_FIRST, _LAST = DispatchPriority.FIRST, DispatchPriority.LAST
_plugin.add_autogenerate_comparator(_check_models, "schema", "models", priority=_FIRST)
_plugin.add_autogenerate_comparator(_complete_migration, "schema", "completion", priority=_LAST)
_plugin.add_autogenerate_comparator(_compare_table, "table", "constraints", priority=_LAST)
_plugin.add_autogenerate_comparator(_compare_type, "column", "types", priority=_FIRST)
_plugin.add_autogenerate_comparator(_compare_default, "column", "server_default", priority=_FIRST)
