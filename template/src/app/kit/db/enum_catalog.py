"""The enum types that a database has, and the columns that use them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Self, cast

from alembic.operations import ops
from sqlalchemy import Connection, Enum, text

from app.kit.db.migration_steps import ConvertColumn

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
