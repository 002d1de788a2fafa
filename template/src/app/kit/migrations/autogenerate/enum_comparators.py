"""Autogenerate support for enum types, which Alembic does not create, compare or drop.

- A migration creates a type before its first column, and drops it after its last column.
- New values are added.
- A value with a new name at the same position is renamed.
- A removed value needs a new type. The migration fails while a row has that value.
- A downgrade adds removed values again. It keeps added values, because rows may have them.
"""

from collections.abc import Callable, Iterator
from typing import Any, TypeGuard, cast

from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from alembic.util import CommandError
from sqlalchemy import Column, Enum, Inspector, MetaData
from sqlalchemy.types import ARRAY, TypeEngine

from app.kit.migrations.autogenerate.schema_steps import (
    EnumName,
    change_values,
    create_type,
    drop_type,
)
from app.kit.migrations.autogenerate.steps import (
    DIALECT,
    MigrationStep,
    default_sql,
    native_enum,
    native_enums,
    op_execute,
    quote,
)

_REMOVED = (ops.DropConstraintOp, ops.DropIndexOp)
_ADDED = (ops.AddConstraintOp, ops.CreateIndexOp)


def compare_enums(operations: ops.UpgradeOps, metadata: MetaData, inspector: Inspector) -> None:
    """Add the steps for enum types to a migration."""
    types: list[dict[str, Any]] = cast("Any", inspector).get_enums("*")
    visible = {each["name"]: each["schema"] for each in types if each["visible"]}
    default_schema = inspector.default_schema_name or "public"

    def full_name(name: EnumName) -> EnumName:
        return EnumName(name.schema or visible.get(name.name, default_schema), name.name)

    existing = {EnumName(each["schema"], each["name"]): each["labels"] for each in types}
    declared = _declared(metadata)
    replaced = _convert_columns(operations, metadata, default_schema, full_name)
    lost_by_columns = [*replaced, *_dropped_enums(operations)]
    before: list[MigrationStep] = []
    after: list[MigrationStep] = []
    for name, values in declared.items():
        if full_name(name) in existing:
            first, last = change_values(name, existing[full_name(name)], values)
            before += first
            after += last
        else:
            before.append(create_type(name, values))
    used = {full_name(name) for name in declared}
    candidates = {full_name(EnumName.of(enum)): enum for enum in lost_by_columns}
    after += [
        drop_type(EnumName.of(enum), list(enum.enums))
        for name, enum in candidates.items()
        if name not in used
    ]
    operations.ops = [*before, *operations.ops, *after]


def _declared(metadata: MetaData) -> dict[EnumName, list[str]]:
    found: dict[EnumName, list[str]] = {}
    for enum in native_enums(metadata):
        name, values = EnumName.of(enum), list(enum.enums)
        if found.setdefault(name, values) != values:
            raise CommandError(
                f"Two columns declare the enum type {name} with different values, {found[name]} "
                f"and {values}. Use one Enum for both, or give one of them another name."
            )
    return found


def _dropped_enums(operations: ops.UpgradeOps) -> Iterator[Enum]:
    """Yield the enum types of the columns that a migration drops; only `_reverse` has them."""
    for operation in operations.ops:
        items: list[Any] = []
        if isinstance(operation, ops.DropTableOp):
            items = cast("Any", operation)._reverse.columns
        elif isinstance(operation, ops.ModifyTableOps):
            drops = [each for each in operation.ops if isinstance(each, ops.DropColumnOp)]
            items = [cast("Any", drop)._reverse.column for drop in drops]
        for item in items:
            if isinstance(item, Column) and (enum := native_enum(cast("Any", item).type)):
                yield enum


def _convert_columns(
    operations: ops.UpgradeOps,
    metadata: MetaData,
    default_schema: str,
    full_name: Callable[[EnumName], EnumName],
) -> list[Enum]:
    """Replace type changes to or from an enum, because Alembic does not generate their cast.

    Return the enum types that these columns had.
    """
    replaced: list[Enum] = []
    for table in [each for each in operations.ops if isinstance(each, ops.ModifyTableOps)]:
        for change in [each for each in table.ops if isinstance(each, ops.AlterColumnOp)]:
            old, new = change.existing_type, change.modify_type
            if old is None or new is None:
                continue
            before, after = native_enum(old), native_enum(new)
            if not before and not after:
                continue
            change.modify_type = None
            names = [full_name(EnumName.of(enum)) if enum else None for enum in (before, after)]
            if names[0] != names[1] or _is_array(old) != _is_array(new):
                replaced += [before] if before else []
                step = _conversion(change, _column(change, metadata, default_schema), old, new)
                change.existing_type = new
                change.modify_server_default = False  # the step sets it
                # The CHECKs and indexes of the old type are dropped before, those of the new type
                # are created after.
                removed = [each for each in table.ops if isinstance(each, _REMOVED)]
                added = [each for each in table.ops if isinstance(each, _ADDED)]
                others = [each for each in table.ops if each not in (*removed, *added)]
                table.ops = [*removed, step, *others, *added]
            if not change.has_changes():
                table.ops.remove(change)
    operations.ops = [
        each for each in operations.ops if not isinstance(each, ops.ModifyTableOps) or each.ops
    ]
    return replaced


def _column(change: ops.AlterColumnOp, metadata: MetaData, default_schema: str) -> Column[Any]:
    # The schema of an operation is None for the default schema, also if the model names it.
    schemas = {change.schema, default_schema} if change.schema is None else {change.schema}
    return next(
        table.columns[change.column_name]
        for table in metadata.tables.values()
        if table.schema in schemas and table.name == change.table_name
    )


def _conversion(
    change: ops.AlterColumnOp, column: Column[Any], old: TypeEngine[Any], new: TypeEngine[Any]
) -> MigrationStep:
    """Return the step that changes the type of a column and casts its values."""
    old_default: Any = change.existing_server_default
    upgrade = _alter_type(change, old, new, default_sql(column.server_default))
    downgrade = _alter_type(change, new, old, default_sql(old_default or None))
    return MigrationStep(
        f"change the type of {change.table_name}.{change.column_name}",
        [op_execute(upgrade)],
        [op_execute(downgrade)],
        risk="rewrites and locks the table, and fails if the new type lacks a stored value",
    )


def _alter_type(
    change: ops.AlterColumnOp, old: TypeEngine[Any], new: TypeEngine[Any], default: str | None
) -> str:
    column, kind = quote(change.column_name), new.compile(dialect=DIALECT)
    suffix = "[]" if _is_array(old) and _is_array(new) else ""
    value = f"{column}::text{suffix}::{kind}"
    if native_enum(old) and native_enum(new) and not suffix:
        # Converts a value to an array with one item, or an array to its first item.
        if _is_array(old):
            value = f"{column}[1]::text::{kind}"
        elif _is_array(new):
            value = f"CASE WHEN {column} IS NOT NULL THEN ARRAY[{column}::text]::{kind} END"
    actions = ["DROP DEFAULT", f"TYPE {kind} USING {value}"]
    if default:
        actions.append(f"SET DEFAULT {default}")
    changes = ", ".join(f"ALTER COLUMN {column} {action}" for action in actions)
    return f"ALTER TABLE {quote(change.table_name, change.schema)} {changes}"


def is_array_change(actual: TypeEngine[Any], declared: TypeEngine[Any]) -> bool:
    """Return whether an enum becomes an array of enums or the reverse: Alembic sees no change."""
    are_enums = native_enum(actual) and native_enum(declared)
    return bool(are_enums) and _is_array(actual) != _is_array(declared)


def render_type(kind: str, item: Any, context: AutogenContext) -> str | bool:
    """Render a type in a migration (Alembic's `render_item`); False for Alembic's default.

    A separate step creates and drops enum types, so columns get `create_type=False`.
    """
    if kind != "type":
        return False
    if enum := native_enum(item):
        if not _is_array(item):
            return _render_enum(enum)
        dimensions = f", dimensions={item.dimensions}" if item.dimensions else ""
        return f"sa.ARRAY({_render_enum(enum)}{dimensions})"
    module = type(item).__module__
    if not module.startswith("sqlalchemy."):
        # Alembic renders a custom type with its module, but does not import the module.
        context.imports.add(f"import {module}")
    return False


def _render_enum(enum: Enum) -> str:
    schema, name = EnumName.of(enum)
    values = "".join(f"{value!r}, " for value in enum.enums)
    in_schema = f", schema={schema!r}" if schema else ""
    return f"sa.Enum({values}name={name!r}{in_schema}, create_type=False)"


def _is_array(kind: Any) -> TypeGuard[ARRAY[Any]]:
    return isinstance(kind, ARRAY)
