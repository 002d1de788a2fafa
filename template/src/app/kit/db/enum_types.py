"""PostgreSQL's enum types: those of the models and of a database, as a migration names them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Self, TypeGuard, cast

from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from sqlalchemy import ARRAY, Connection, Enum, MetaData, TypeDecorator, text
from sqlalchemy.types import TypeEngine

from app.kit.db.migration_steps import ConvertColumn, MigrationStep, literal, op_execute, quote

_TYPES = text("""
    SELECT n.nspname, t.typname, pg_type_is_visible(t.oid),
           array(SELECT enumlabel::text FROM pg_enum WHERE enumtypid = t.oid ORDER BY enumsortorder)
      FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
     WHERE t.typtype = 'e'
""")
_COLUMNS = text("""
    SELECT tn.nspname, t.typname, n.nspname, c.relname, a.attname
      FROM pg_type t
      JOIN pg_namespace tn ON tn.oid = t.typnamespace
      JOIN pg_attribute a ON a.atttypid IN (t.oid, t.typarray) AND NOT a.attisdropped
      JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p')
      JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE t.typtype = 'e'
""")


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


class Key(NamedTuple):
    """An enum type by its name; the schema is None where the search path finds it."""

    schema: str | None
    name: str

    @classmethod
    def of(cls, enum: Enum) -> Self:
        """Return the name that the models declare."""
        schema: str | None = cast("Any", enum).schema
        return cls(schema, str(enum.name))

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name


class ColumnName(NamedTuple):
    """A column by its name, with the schema of its table in full."""

    schema: str
    table: str
    column: str


@dataclass
class EnumCatalog:
    """The enum types of a database."""

    default_schema: str
    # A visible type is listed with its schema and without.
    values: dict[Key, list[str]]
    schemas: dict[str, str]
    columns: dict[Key, set[ColumnName]]

    @classmethod
    def read(cls, connection: Connection) -> Self:
        """Read the catalog."""
        found = cls(connection.dialect.default_schema_name or "public", {}, {}, {})
        for schema, name, is_visible, values in connection.execute(_TYPES):
            found.values[Key(schema, name)] = values
            if is_visible:
                found.values[Key(None, name)] = values
                found.schemas[name] = schema
        for schema, name, *column in connection.execute(_COLUMNS):
            found.columns.setdefault(Key(schema, name), set()).add(ColumnName(*column))
        return found

    def absolute(self, key: Key) -> Key:
        """Return the key with its schema."""
        return Key(key.schema or self.schemas.get(key.name, self.default_schema), key.name)

    def relative(self, key: Key) -> Key:
        """Return the key without the schema where the search path finds it."""
        return Key(None, key.name) if self.schemas.get(key.name) == key.schema else key


def columns_without(operations: ops.UpgradeOps, catalog: EnumCatalog) -> Iterator[Key]:
    """Yield the types, with their schemas, whose last column a migration drops or converts."""
    dropped = set(_dropped(operations, catalog.default_schema))
    for key, columns in catalog.columns.items():
        if all(column in dropped or column._replace(column="") in dropped for column in columns):
            yield key


def _dropped(operations: ops.UpgradeOps, default: str) -> Iterator[ColumnName]:
    """Yield columns that are dropped or get another type; a whole table has an empty name."""
    for operation in operations.ops:
        if isinstance(operation, ops.DropTableOp):
            yield ColumnName(operation.schema or default, operation.table_name, "")
        if isinstance(operation, ops.ModifyTableOps):
            for each in operation.ops:
                if isinstance(each, ops.DropColumnOp | ConvertColumn):
                    yield ColumnName(each.schema or default, each.table_name, each.column_name)


def create_type(key: Key, values: list[str]) -> MigrationStep:
    """Return the step that creates a type."""
    what = f"create the enum type {key}"
    return MigrationStep(what, [_creation(key, values)], [_removal(key)])


def drop_type(key: Key, values: list[str]) -> MigrationStep:
    """Return the step that drops a type."""
    what = f"drop the enum type {key}, which no column has any more"
    return MigrationStep(what, [_removal(key)], [_creation(key, values)])


def _creation(key: Key, values: list[str]) -> str:
    named = ", ".join(map(literal, values))
    return op_execute(f"CREATE TYPE {quote(key.name, key.schema)} AS ENUM ({named})")


def _removal(key: Key) -> str:
    return op_execute(f"DROP TYPE {quote(key.name, key.schema)}")
