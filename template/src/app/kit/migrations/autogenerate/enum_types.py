"""Enum types of the models and of the database."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Self, TypeGuard, cast

from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from sqlalchemy import ARRAY, Connection, Enum, MetaData, TypeDecorator, text
from sqlalchemy.types import TypeEngine

from app.kit.migrations.autogenerate.steps import ConvertColumn

# The types, their values, and the columns with this type or an array of it.
_TYPES = text("""
    SELECT n.nspname, t.typname, pg_type_is_visible(t.oid),
           array(SELECT enumlabel::text FROM pg_enum
                  WHERE enumtypid = t.oid ORDER BY enumsortorder),
           array(SELECT ARRAY[m.nspname, c.relname, a.attname]::text[]
                   FROM pg_attribute a
                   JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p')
                   JOIN pg_namespace m ON m.oid = c.relnamespace
                  WHERE a.atttypid IN (t.oid, t.typarray) AND NOT a.attisdropped)
      FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
     WHERE t.typtype = 'e'
""")


def native_enum(kind: TypeEngine[Any] | None) -> Enum | None:
    """Return the enum type of a column type or of its array items; None if there is none."""
    while isinstance(kind, ARRAY | TypeDecorator):
        kind = cast("Any", kind).item_type if isinstance(kind, ARRAY) else kind.impl_instance
    return kind if isinstance(kind, Enum) and kind.native_enum and kind.name else None


def native_enums(metadata: MetaData) -> Iterable[Enum]:
    """Yield the enum types of the models, once per column."""
    for table in metadata.tables.values():
        for column in table.columns:
            if (enum := native_enum(column.type)) is not None and enum.create_type:
                yield enum


def render_type(kind: str, item: Any, context: AutogenContext) -> str | bool:
    """Render a type in a migration (Alembic's `render_item`); False for Alembic's default.

    A separate step creates and drops enum types, so columns get `create_type=False`.
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
        # Alembic renders a custom type with its module, but does not import the module.
        context.imports.add(f"import {module}")
    return False


def _is_array(item: Any) -> TypeGuard[ARRAY[Any]]:
    return isinstance(item, ARRAY)


def _render_enum(enum: Enum) -> str:
    values = "".join(f"{value!r}, " for value in enum.enums)
    declared: str | None = cast("Any", enum).schema
    schema = f", schema={str(declared)!r}" if declared else ""
    return f"sa.Enum({values}name={str(enum.name)!r}{schema}, create_type=False)"


class Key(NamedTuple):
    """The name of an enum type. The schema is None if the type is on the search path."""

    schema: str | None
    name: str

    @classmethod
    def of(cls, enum: Enum) -> Self:
        """Return the name of a type that the models declare."""
        schema: str | None = cast("Any", enum).schema
        return cls(schema, str(enum.name))

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name


class ColumnName(NamedTuple):
    """The full name of a column."""

    schema: str
    table: str
    column: str


@dataclass
class EnumCatalog:
    """The enum types of a database, by schema and name."""

    default_schema: str
    values: dict[Key, list[str]]
    columns: dict[Key, set[ColumnName]]
    # The schema of each type on the search path.
    schemas: dict[str, str]

    @classmethod
    def read(cls, connection: Connection) -> Self:
        """Read the enum types from the system catalogs."""
        found = cls(connection.dialect.default_schema_name or "public", {}, {}, {})
        for schema, name, is_visible, values, columns in connection.execute(_TYPES):
            key = Key(schema, name)
            found.values[key] = values
            found.columns[key] = {ColumnName(*column) for column in columns}
            if is_visible:
                found.schemas[name] = schema
        return found

    def absolute(self, key: Key) -> Key:
        """Return the key with its schema."""
        return Key(key.schema or self.schemas.get(key.name, self.default_schema), key.name)

    def relative(self, key: Key) -> Key:
        """Return the key without its schema if the type is on the search path."""
        return Key(None, key.name) if self.schemas.get(key.name) == key.schema else key


def unused_types(operations: ops.UpgradeOps, catalog: EnumCatalog) -> Iterator[Key]:
    """Yield the types whose last columns the migration drops."""
    dropped = set(_dropped(operations, catalog.default_schema))
    for key, columns in catalog.columns.items():
        if columns and all(
            column in dropped or column._replace(column="") in dropped for column in columns
        ):
            yield key


def _dropped(operations: ops.UpgradeOps, default: str) -> Iterator[ColumnName]:
    """Yield the columns that a migration drops or converts.

    For a dropped table it yields one item with an empty column name.
    """
    for operation in operations.ops:
        if isinstance(operation, ops.DropTableOp):
            yield ColumnName(operation.schema or default, operation.table_name, "")
        if isinstance(operation, ops.ModifyTableOps):
            for each in operation.ops:
                if isinstance(each, ops.DropColumnOp | ConvertColumn):
                    yield ColumnName(each.schema or default, each.table_name, each.column_name)
