"""Columns whose type becomes an enum type, or no longer is one."""

from typing import Any

from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from alembic.util import PriorityDispatchResult
from sqlalchemy import Column, MetaData
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import ARRAY, TypeEngine

from app.kit.db.enum_catalog import EnumCatalog, Key
from app.kit.db.enum_types import native_enum
from app.kit.db.migration_steps import ConvertColumn, default_sql, quote

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]  # no annotations there
_REMOVED = (ops.DropConstraintOp, ops.DropIndexOp)
_ADDED = (ops.AddConstraintOp, ops.CreateIndexOp)


def compare_arrays(
    _context: AutogenContext,
    operation: ops.AlterColumnOp,
    _schema: str | None,
    _table: str,
    _name: str,
    actual: Column[Any],
    declared: Column[Any],
) -> PriorityDispatchResult:
    """Tell an enum type from an array of it, which have the same name for Alembic."""
    are_enums = native_enum(actual.type) and native_enum(declared.type)
    if are_enums and _is_array(actual.type) != _is_array(declared.type):
        operation.modify_type = declared.type
        return PriorityDispatchResult.STOP
    return PriorityDispatchResult.CONTINUE


def convert_columns(operations: ops.UpgradeOps, metadata: MetaData, catalog: EnumCatalog) -> None:
    """Replace changes to or from an enum type, which need a cast that Alembic does not write."""
    for modified in operations.ops:
        if isinstance(modified, ops.ModifyTableOps):
            altered = [each for each in modified.ops if isinstance(each, ops.AlterColumnOp)]
            for operation in altered:
                _convert(modified, operation, metadata, catalog)
    operations.ops = [
        each
        for each in operations.ops
        if not (isinstance(each, ops.ModifyTableOps) and each.is_empty())
    ]


def _convert(
    modified: ops.ModifyTableOps,
    operation: ops.AlterColumnOp,
    metadata: MetaData,
    catalog: EnumCatalog,
) -> None:
    old, new = operation.existing_type, operation.modify_type
    if old is None or new is None or not (native_enum(old) or native_enum(new)):
        return
    operation.modify_type = None
    if not _is_same(old, new, catalog):
        column = _column(operation, metadata, catalog.default_schema)
        step = _step(operation, column, old, new)
        operation.existing_type = new
        operation.modify_server_default = False
        # CHECKs and indexes compare with values of the old type, or of the new one.
        kinds = {each: _phase(each) for each in modified.ops}
        modified.ops = sorted(modified.ops, key=lambda each: kinds[each])
        place = sum(kind == 0 for kind in kinds.values())
        modified.ops.insert(place, step)
    if not operation.has_changes():
        modified.ops.remove(operation)


def _phase(operation: ops.MigrateOperation) -> int:
    return 0 if isinstance(operation, _REMOVED) else 2 if isinstance(operation, _ADDED) else 1


def _is_same(old: TypeEngine[Any], new: TypeEngine[Any], catalog: EnumCatalog) -> bool:
    first, second = native_enum(old), native_enum(new)
    if first is None or second is None or _is_array(old) != _is_array(new):
        return False
    return catalog.absolute(Key.of(first)) == catalog.absolute(Key.of(second))


def _is_array(kind: TypeEngine[Any]) -> bool:
    return isinstance(kind, ARRAY)


def _column(operation: ops.AlterColumnOp, metadata: MetaData, default: str) -> Column[Any]:
    return next(
        column
        for table in metadata.tables.values()
        for column in table.columns
        if (table.schema or default) == (operation.schema or default)
        and (table.name, column.name) == (operation.table_name, operation.column_name)
    )


def _step(
    operation: ops.AlterColumnOp, column: Column[Any], old: TypeEngine[Any], new: TypeEngine[Any]
) -> ConvertColumn:
    upgrade = _alter(operation, old, new, default_sql(column.server_default))
    old_default: Any = operation.existing_server_default
    before = default_sql(old_default or None)
    return ConvertColumn(operation, upgrade, _alter(operation, new, old, before))


def _alter(
    operation: ops.AlterColumnOp, old: TypeEngine[Any], new: TypeEngine[Any], default: str | None
) -> str:
    column = quote(operation.column_name)
    suffix = "[]" if _is_array(old) and _is_array(new) else ""
    kind = new.compile(dialect=_DIALECT)
    value = f"{column}::text{suffix}::{kind}"
    if native_enum(old) and native_enum(new) and not suffix:
        # A single value is the first one of an array.
        if _is_array(old):
            value = f"{column}[1]::text::{kind}"
        elif _is_array(new):
            value = f"CASE WHEN {column} IS NOT NULL THEN ARRAY[{column}::text]::{kind} END"
    changes = [
        "DROP DEFAULT",
        f"TYPE {kind} USING {value}",
        *([f"SET DEFAULT {default}"] if default else ()),
    ]
    table = quote(operation.table_name, operation.schema)
    return f"ALTER TABLE {table} " + ", ".join(f"ALTER COLUMN {column} {each}" for each in changes)
