"""PostgreSQL's enum types: those of the models, and how a migration names them."""

from collections.abc import Iterable
from typing import Any, TypeGuard, cast

from alembic.autogenerate.api import AutogenContext
from sqlalchemy import ARRAY, Enum, MetaData, TypeDecorator
from sqlalchemy.types import TypeEngine


def native_enum(kind: TypeEngine[Any] | None) -> Enum | None:
    """Return the enum type that a column of this type needs: it, or its items', or None."""
    while isinstance(kind, ARRAY | TypeDecorator):
        kind = cast("Any", kind).item_type if isinstance(kind, ARRAY) else kind.impl_instance
    return kind if isinstance(kind, Enum) and kind.native_enum and kind.name else None


def native_enums(metadata: MetaData) -> Iterable[Enum]:
    """Yield the enum type of each column of the models that has one."""
    for table in metadata.tables.values():
        for column in table.columns:
            if (enum := native_enum(column.type)) is not None and enum.create_type:
                yield enum


def render_type(kind: str, item: Any, context: AutogenContext) -> str | bool:
    """Write a type into a migration (`render_item` of Alembic); False for Alembic's own way.

    The migration itself creates and drops an enum type: the type of a column must not.
    """
    if kind != "type":
        return False
    if _is_array(item) and (inner := native_enum(item)) is not None:
        shape = f", dimensions={item.dimensions}" if item.dimensions else ""
        return f"sa.ARRAY({_render_enum(inner)}{shape})"
    if (enum := native_enum(item)) is not None:
        return _render_enum(enum)
    module = type(item).__module__
    if not module.startswith("sqlalchemy."):
        # Alembic writes the name of a type of your own with its module, and does not import it.
        context.imports.add(f"import {module}")
    return False


def _is_array(item: Any) -> TypeGuard[ARRAY[Any]]:
    return isinstance(item, ARRAY)


def _render_enum(enum: Enum) -> str:
    values = "".join(f"{value!r}, " for value in enum.enums)
    declared: str | None = cast("Any", enum).schema
    schema = f", schema={str(declared)!r}" if declared else ""
    return f"sa.Enum({values}name={str(enum.name)!r}{schema}, create_type=False)"
