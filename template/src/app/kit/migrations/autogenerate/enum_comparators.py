"""Autogenerate support for enum types, which Alembic does not create, compare or drop.

- A migration creates a type before its first column, and drops it after its last column.
- New values are added.
- A value with a new name at the same position is renamed.
- A removed value needs a new type. The migration fails while a row has that value.
- A downgrade adds removed values again. It keeps added values, because rows may have them.
"""

from collections.abc import Iterable
from copy import copy
from dataclasses import replace
from typing import Any, TypeGuard, cast

from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import renderers
from alembic.operations import ops
from alembic.util import CommandError
from sqlalchemy import Enum, Inspector, MetaData
from sqlalchemy.types import ARRAY

from app.kit.migrations.autogenerate.schema_steps import (
    change_values,
    create_type,
    type_name,
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

_render_column_change: Any = renderers.dispatch(ops.AlterColumnOp)


def compare_enums(
    operations: ops.UpgradeOps, metadata: MetaData, inspector: Inspector, used: Iterable[Enum]
) -> None:
    """Add the steps for enum types to a migration.

    The columns of the database, before the migration, have the `used` types.
    """
    existing: dict[str, list[str]] = {
        quote(each["name"], None if each["visible"] else each["schema"]): each["labels"]
        for each in cast("Any", inspector).get_enums("*")
    }
    before: list[MigrationStep] = []
    after: list[MigrationStep] = []
    unused = {type_name(enum): enum for enum in used}
    for enum in _declared(metadata):
        # The database has no schema for a type on the search path.
        is_default = cast("Any", enum).schema == inspector.default_schema_name
        stored = quote(str(enum.name)) if is_default else type_name(enum)
        unused.pop(stored, None)
        if stored in existing:
            first, last = change_values(enum, existing[stored])
            before += first
            after += last
        else:
            before.append(create_type(enum))
    for name, enum in sorted(unused.items()):
        what = f"drop the enum type {name}, which no column uses"
        after.append(replace(create_type(enum).reverse(), what=what))
    operations.ops = [*before, *operations.ops, *after]


def _declared(metadata: MetaData) -> Iterable[Enum]:
    found: dict[str, Enum] = {}
    for enum in native_enums(metadata):
        other = found.setdefault(type_name(enum), enum)
        if other.enums != enum.enums:
            raise CommandError(
                f"Two columns declare the enum type {type_name(enum)} with different values, "
                f"{other.enums} and {enum.enums}. Use one Enum for both, or give one of them "
                "another name."
            )
    return found.values()


def converts_enum(change: ops.AlterColumnOp) -> bool:
    """Return whether a column's old or new type is an enum: PostgreSQL needs the cast."""
    types = change.existing_type, change.modify_type
    return change.modify_type is not None and any(native_enum(each) for each in types)


@renderers.dispatch_for(ops.AlterColumnOp, replace=True)
def _render(context: AutogenContext, change: ops.AlterColumnOp) -> list[str]:
    """Render the cast to or from an enum, which Alembic lacks, and then the other changes."""
    lines: list[str] = []
    if converts_enum(change):
        lines.append(op_execute(_alter_type(change)))
        change = copy(change)
        change.existing_type, change.modify_type = change.modify_type, None
        change.modify_server_default = False
    return [*lines, _render_column_change(context, change)] if change.has_changes() else lines


def _alter_type(change: ops.AlterColumnOp) -> str:
    old: Any = change.existing_type
    new: Any = change.modify_type
    is_changed = change.modify_server_default is not False
    default: Any = change.modify_server_default if is_changed else change.existing_server_default
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
    if default not in (None, False):
        actions.append(f"SET DEFAULT {default_sql(default)}")
    changes = ", ".join(f"ALTER COLUMN {column} {action}" for action in actions)
    return f"ALTER TABLE {quote(change.table_name, change.schema)} {changes}"


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
    schema = cast("Any", enum).schema
    values = "".join(f"{value!r}, " for value in enum.enums)
    in_schema = f", schema={schema!r}" if schema else ""
    return f"sa.Enum({values}name={str(enum.name)!r}{in_schema}, create_type=False)"


def _is_array(kind: Any) -> TypeGuard[ARRAY[Any]]:
    return isinstance(kind, ARRAY)
