"""Definitions of columns, constraints and indexes, as PostgreSQL writes them.

PostgreSQL rewrites the expressions in defaults, constraints and indexes, so the text in the models
cannot be compared with the database. This module creates the tables of the models in temporary
schemas, reads the definitions of both from the catalog, and rolls back.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Any, cast

from sqlalchemy import Connection, Dialect, ForeignKeyConstraint, Index, MetaData, text
from sqlalchemy.dialects.postgresql.named_types import CreateEnumType
from sqlalchemy.schema import (
    AddConstraint,
    CreateColumn,
    CreateIndex,
    CreateSequence,
)

from app.kit.migrations.autogenerate.schema_steps import renamed_values, schemas_of, sequences_of
from app.kit.migrations.autogenerate.steps import literal, native_enums, quote

# Added to the names of the schemas.
_PREFIX = "autogenerate_"
# PostgreSQL writes these casts in another way after a dump is loaded.
_TEXT_CAST = re.compile(r"(?:\(([^()]*)\))?::(?:text|character varying)(?:\[\])?(?![\w(])")
# PostgreSQL keeps a numeric default as declared: `1` or `'1'::integer`.
_NUMBER = re.compile(r"'(-?[\d.]+)'::(?:smallint|integer|bigint|numeric|real|double precision)")

# A statement that needs something that the migration creates, such as an extension, is skipped.
_CREATE = """
DO $autogenerate$
DECLARE
    statement text;
BEGIN
    PERFORM set_config(
        'search_path', concat_ws(', ', {schema}, nullif(current_setting('search_path'), '')), true
    );
    FOREACH statement IN ARRAY ARRAY[{statements}]::text[] LOOP
        BEGIN
            EXECUTE statement;
        EXCEPTION WHEN OTHERS THEN
            NULL;
        END;
    END LOOP;
    -- PostgreSQL writes all names with their schemas.
    PERFORM set_config('search_path', '', true);
END
$autogenerate$
"""
_READ = """
SELECT n.nspname, c.relname, found.kind, found.name, found.definition
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
 CROSS JOIN LATERAL (
       SELECT 'type', attname, format_type(atttypid, atttypmod)
         FROM pg_attribute
        WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped
        UNION ALL
       SELECT 'default', attname, pg_get_expr(adbin, adrelid)
         FROM pg_attrdef
         JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum
        WHERE adrelid = c.oid
        UNION ALL
       SELECT 'item', conname, pg_get_constraintdef(oid)
         FROM pg_constraint
        WHERE conrelid = c.oid AND contype IN ('c', 'f', 'u', 'x')
        UNION ALL
       SELECT 'item', i.relname, pg_get_indexdef(i.oid)
         FROM pg_index
         JOIN pg_class i ON i.oid = indexrelid
        WHERE indrelid = c.oid
          AND NOT EXISTS (SELECT FROM pg_constraint WHERE conrelid = c.oid AND conindid = i.oid)
        UNION ALL
       SELECT 'dependent', '', ''
        WHERE c.relispartition
           OR EXISTS (SELECT FROM pg_depend
                       WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')
       ) AS found (kind, name, definition)
 WHERE c.relkind IN ('r', 'p') AND n.nspname::text = ANY (:schemas)
"""
_READ_ENUMS = """
SELECT n.nspname, t.typname, array_agg(e.enumlabel::text ORDER BY e.enumsortorder)
  FROM pg_enum e
  JOIN pg_type t ON t.oid = e.enumtypid
  JOIN pg_namespace n ON n.oid = t.typnamespace
 WHERE n.nspname::text = ANY (:schemas)
 GROUP BY 1, 2
"""


class Definitions:
    """The definitions of the tables in the database, and of the tables in the models."""

    def __init__(self, default_schema: str, rows: Iterable[Any], enums: Iterable[Any]) -> None:
        self._default_schema = default_schema
        self._found: defaultdict[tuple[str, str, str], dict[str, str]] = defaultdict(dict)
        for schema, table, kind, name, definition in rows:
            self._found[schema, table, kind][name] = _normalized(definition)
        labels = {(schema, name): values for schema, name, values in enums}
        for (schema, name), old in labels.items():
            for before, after in renamed_values(old, labels.get((_PREFIX + schema, name), [])):
                # The migration renames the value, also in constraints and indexes.
                used, renamed = (f"{literal(each)}::{schema}.{name}" for each in (before, after))
                for items in self._found.values():
                    items |= {key: text.replace(used, renamed) for key, text in items.items()}

    def compare(self, kind: str, schema: str | None, table: str) -> list[dict[str, str]]:
        """Return the definitions of a table by name, first in the database, then in the models.

        The kind is `type`, `default`, `item` (a constraint or an index) or `dependent` (a row if
        the table is a partition or belongs to an extension).
        """
        name = schema or self._default_schema
        return [self._found[each, table, kind] for each in (name, _PREFIX + name)]

    def is_dependent(self, operation: Any) -> bool:
        """Return whether its table, without a model, is a partition or belongs to an extension."""
        table = getattr(operation, "schema", None), getattr(operation, "table_name", "")
        _, columns_of_model = self.compare("type", *table)
        dependent, _ = self.compare("dependent", *table)
        return bool(dependent) and not columns_of_model


def _normalized(definition: str) -> str:
    if number := _NUMBER.fullmatch(definition):
        return number[1]
    plain = definition.replace(_PREFIX, "").replace('"', "")
    while plain != (shorter := _TEXT_CAST.sub(r"\1", plain)):
        plain = shorter
    # A later migration validates the constraint. The index of a partitioned table is `ON ONLY` it.
    return plain.removesuffix(" NOT VALID").replace(" ON ONLY ", " ON ")


def read_definitions(connection: Connection, metadata: MetaData) -> Definitions:
    """Return the definitions of the database and of the models."""
    default_schema = connection.dialect.default_schema_name or "public"
    schemas = {default_schema, *schemas_of(metadata)}
    renamed = {each: _PREFIX + (each or default_schema) for each in (None, *schemas)}
    statements = _statements(metadata, renamed, connection.dialect)
    create = _CREATE.format(
        schema=literal(quote(renamed[None])), statements=", ".join(map(literal, statements))
    )
    # Closing a savepoint rolls it back.
    with closing(connection.begin_nested()):
        connection.exec_driver_sql(create)
        names = {"schemas": [*schemas, *renamed.values()]}
        rows = connection.execute(text(_READ), names).all()
        enums = connection.execute(text(_READ_ENUMS), names).all()
    return Definitions(default_schema, rows, enums)


def _statements(
    metadata: MetaData, renamed: dict[str | None, str], dialect: Dialect
) -> Iterator[str]:
    """Yield the statements that create the tables of the models, one for each part of a table."""

    def compiled(element: Any) -> str:
        options: Any = {"schema_translate_map": renamed, "render_schema_translate": True}
        return str(element.compile(dialect=dialect, **options))

    tables = [each for each in metadata.tables.values() if not each.info.get("is_view")]
    yield from (f"CREATE SCHEMA {quote(name)}" for name in {*renamed.values()})
    yield from (compiled(CreateEnumType(cast("Any", each))) for each in native_enums(metadata))
    yield from (compiled(CreateSequence(each)) for each in sequences_of(metadata))
    for table in tables:
        name = quote(table.name, renamed[table.schema])
        yield f"CREATE TABLE {name} ()"
        for column in table.columns:
            yield f"ALTER TABLE {name} ADD COLUMN {compiled(CreateColumn(column))}"
    items: list[Any] = [item for each in tables for item in (*each.constraints, *each.indexes)]
    # Foreign keys need the unique constraints of their targets.
    for item in sorted(items, key=lambda each: isinstance(each, ForeignKeyConstraint)):
        is_index = isinstance(item, Index)
        yield compiled(
            CreateIndex(item) if is_index else AddConstraint(item, isolate_from_table=False)
        )
