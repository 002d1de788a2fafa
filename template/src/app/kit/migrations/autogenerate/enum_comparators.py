"""Autogenerate support for enum types, which Alembic does not create, compare or drop.

- A migration creates a type before its first column, and drops it after its last column.
- New values are added.
- A value with a new name at the same position is renamed.
- A removed value needs a new type. The migration fails while a row has that value.
- A downgrade adds removed values again. It keeps added values, because rows may have them.
"""

from typing import Any

from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from alembic.runtime.plugins import Plugin
from alembic.util import CommandError, DispatchPriority, PriorityDispatchResult
from sqlalchemy import Column, MetaData
from sqlalchemy.types import ARRAY, TypeEngine

from app.kit.migrations.autogenerate.enum_types import (
    EnumCatalog,
    Key,
    native_enum,
    native_enums,
    render_type,
    unused_types,
)
from app.kit.migrations.autogenerate.schema_steps import (
    change_values,
    create_type,
    drop_type,
    missing_schemas,
    missing_sequences,
)
from app.kit.migrations.autogenerate.steps import (
    DIALECT,
    ConvertColumn,
    MigrationStep,
    default_sql,
    quote,
)

_REMOVED = (ops.DropConstraintOp, ops.DropIndexOp)
_ADDED = (ops.AddConstraintOp, ops.CreateIndexOp)


def compare_enums(
    context: AutogenContext, operations: ops.UpgradeOps, _schemas: set[str | None]
) -> PriorityDispatchResult:
    """Add the steps for enum types to a migration."""
    metadata, connection = context.metadata, context.connection
    if not isinstance(metadata, MetaData) or connection is None:
        return PriorityDispatchResult.CONTINUE
    options: dict[str, Any] = context.opts
    options["render_item"] = options.get("render_item") or render_type
    catalog = EnumCatalog.read(connection)
    convert_columns(operations, metadata, catalog)
    before: list[MigrationStep] = []
    after: list[MigrationStep] = []
    declared = _declared(metadata)
    for key, values in declared.items():
        present = catalog.values.get(catalog.absolute(key))
        if present is None:
            before.append(create_type(key, values))
        else:
            first, last = change_values(key, present, values)
            before += first
            after += last
    kept = {catalog.absolute(key) for key in declared}
    unused = [key for key in unused_types(operations, catalog) if key not in kept]
    after += [drop_type(catalog.relative(key), catalog.values[key]) for key in unused]
    # Creates schemas before types, and types before tables.
    operations.ops[:0] = [
        *missing_schemas(metadata, connection),
        *missing_sequences(metadata, connection),
        *before,
    ]
    operations.ops += after
    return PriorityDispatchResult.CONTINUE


def _declared(metadata: MetaData) -> dict[Key, list[str]]:
    found: dict[Key, list[str]] = {}
    for enum in native_enums(metadata):
        key, values = Key.of(enum), list(enum.enums)
        if found.setdefault(key, values) != values:
            raise CommandError(
                f"Two columns declare the enum type {key} with different values, {found[key]} and "
                f"{values}. Use one Enum for both, or give one of them another name."
            )
    return found


def compare_arrays(
    _context: AutogenContext,
    operation: ops.AlterColumnOp,
    _schema: str | None,
    _table: str,
    _name: str,
    actual: Column[Any],
    declared: Column[Any],
) -> PriorityDispatchResult:
    """Detect a change between an enum and an array of it, which Alembic considers equal."""
    are_enums = native_enum(actual.type) and native_enum(declared.type)
    if are_enums and _is_array(actual.type) != _is_array(declared.type):
        operation.modify_type = declared.type
        return PriorityDispatchResult.STOP
    return PriorityDispatchResult.CONTINUE


def convert_columns(operations: ops.UpgradeOps, metadata: MetaData, catalog: EnumCatalog) -> None:
    """Replace type changes to or from an enum, because Alembic does not generate their cast."""
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
        # Drop the CHECKs and indexes of the old type first, and create those of the new type last.
        phases = {each: _phase(each) for each in modified.ops}
        modified.ops = sorted(modified.ops, key=lambda each: phases[each])
        position = sum(phase == 0 for phase in phases.values())
        modified.ops.insert(position, step)
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
    kind = new.compile(dialect=DIALECT)
    value = f"{column}::text{suffix}::{kind}"
    if native_enum(old) and native_enum(new) and not suffix:
        # Converts a value to an array with one item, or an array to its first item.
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


_plugin = Plugin(__name__)
_plugin.add_autogenerate_comparator(
    compare_arrays, "column", "types", priority=DispatchPriority.FIRST
)
# Runs after Alembic's comparison of tables.
_plugin.add_autogenerate_comparator(
    compare_enums, "schema", "enums", priority=DispatchPriority.LAST
)
