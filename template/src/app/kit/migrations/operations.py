"""Helpers for handwritten migrations."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

from alembic import context, op

from app.kit.migrations.autogenerate.steps import escape, literal, quote

_REPLACE_ENUM = """
DO $replace$
DECLARE
    old regtype := {type};
    wanted text[] := ARRAY[{values}]::text[];
    name text;
    used record;  -- a column of this type, or of an array of it
    remaining text;
    labels text;
    reason text;
    statement text;
    drops text[] := ARRAY[]::text[];
    changes text[] := ARRAY[]::text[];
    creates text[] := ARRAY[]::text[];
BEGIN
    SELECT format('%I.%I', n.nspname, t.typname) INTO name
      FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.oid = old;
    FOR used IN
        SELECT c.oid::regclass AS "table", a.attnum AS number, quote_ident(a.attname) AS name,
               CASE WHEN a.atttypid = old THEN '' ELSE '[]' END AS brackets,
               pg_get_expr(d.adbin, d.adrelid) AS default_value
          FROM pg_attribute a
          JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p')
          LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
         WHERE a.atttypid IN (old, (SELECT typarray FROM pg_type WHERE oid = old))
           AND NOT a.attisdropped AND a.attinhcount = 0
    LOOP
        EXECUTE format(
            'SELECT string_agg(DISTINCT quote_literal(value), '', '') FROM %s,'
            ' unnest(' || CASE used.brackets WHEN '' THEN 'ARRAY[%s::text]' ELSE '%s::text[]' END
            || ') AS each (value) WHERE value <> ALL ($1)', used."table", used.name
        ) INTO remaining USING wanted;
        IF remaining IS NOT NULL THEN
            RAISE EXCEPTION 'Rows of %.% still have %, which is removed from the enum type %.',
                used."table", used.name, remaining, name
                USING ERRCODE = 'restrict_violation',
                      HINT = 'Update these rows to another value before replace_enum().';
        END IF;
        -- Constraints and indexes that compare the column with values of the old type.
        SELECT drops || coalesce(array_agg(drop_statement), ARRAY[]::text[]),
               creates || coalesce(array_agg(create_statement), ARRAY[]::text[])
          INTO drops, creates
          FROM (
            SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', k.conrelid::regclass, k.conname),
                   format('ALTER TABLE %s ADD CONSTRAINT %I %s', k.conrelid::regclass, k.conname,
                          pg_get_constraintdef(k.oid))
              FROM pg_constraint k
             WHERE k.contype IN ('c', 'f', 'x') AND k.coninhcount = 0 AND k.conparentid = 0
               AND (k.conrelid = used."table" AND used.number = ANY (k.conkey)
                    OR k.confrelid = used."table" AND used.number = ANY (k.confkey))
             UNION ALL
            SELECT format('DROP INDEX %s', i.indexrelid::regclass), pg_get_indexdef(i.indexrelid)
              FROM pg_index i
             WHERE i.indrelid = used."table"
               AND (i.indpred IS NOT NULL OR i.indexprs IS NOT NULL)
               AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid)
               AND EXISTS (SELECT FROM pg_depend p WHERE p.classid = 'pg_class'::regclass
                              AND p.objid = i.indexrelid AND p.refobjid = i.indrelid
                              AND p.refobjsubid = used.number)
          ) AS dependents (drop_statement, create_statement);
        -- Without a default, the last part is NULL, which concat() skips.
        changes := changes || concat(
            format('ALTER TABLE %s ALTER COLUMN %s DROP DEFAULT, ', used."table", used.name),
            format('ALTER COLUMN %1$s TYPE %2$s%3$s USING %1$s::text%3$s::%2$s%3$s',
                   used.name, name, used.brackets),
            format(', ALTER COLUMN %s SET DEFAULT ', used.name) || used.default_value);
    END LOOP;
    FOR statement IN SELECT DISTINCT unnest(drops) LOOP EXECUTE statement; END LOOP;
    EXECUTE format('ALTER TYPE %s RENAME TO %I', name, 'replaced_' || old::oid);
    SELECT string_agg(quote_literal(value), ', ' ORDER BY ordinal) INTO labels
      FROM unnest(wanted) WITH ORDINALITY AS each (value, ordinal);
    EXECUTE format('CREATE TYPE %s AS ENUM (%s)', name, labels);
    FOREACH statement IN ARRAY changes LOOP EXECUTE statement; END LOOP;
    FOR statement IN SELECT DISTINCT unnest(creates) LOOP EXECUTE statement; END LOOP;
    EXECUTE format('DROP TYPE %s', old);
EXCEPTION
    WHEN feature_not_supported OR dependent_objects_still_exist OR invalid_text_representation THEN
        GET STACKED DIAGNOSTICS reason = PG_EXCEPTION_DETAIL;
        RAISE EXCEPTION 'The enum type % cannot be replaced: %. %', name, SQLERRM, reason
            USING ERRCODE = 'restrict_violation', HINT = 'Before replace_enum(), drop the objects '
                  'that use the type or a removed value. Create them again after it.';
END
$replace$
"""


def downgrade_revisions(revisions: Sequence[str]) -> None:
    """Run the downgrades of earlier migrations within a new one, such as to drop the example.

    Pass the revisions oldest first. They run newest first. `alembic_version` does not change.
    """
    for revision in reversed(revisions):
        _module_of(revision).downgrade()


def upgrade_revisions(revisions: Sequence[str]) -> None:
    """Run the upgrades of earlier migrations, oldest first. `alembic_version` does not change."""
    for revision in revisions:
        _module_of(revision).upgrade()


@contextmanager
def outside_transaction() -> Generator[None]:
    """Run the block outside a transaction, for CREATE and DROP INDEX CONCURRENTLY.

    Commits the earlier operations of the migration. Disables the lock timeout, because an
    interrupted build leaves an invalid index, and a build that waits does not block writes.
    """
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")
        yield
        op.execute("RESET lock_timeout")


def replace_enum(name: str, values: Sequence[str], *, schema: str | None = None) -> None:
    """Replace an enum type by a new one with these values, in this order.

    PostgreSQL cannot remove or reorder the values of a type. This function creates a new type and
    converts every column. It keeps defaults, CHECK constraints, foreign keys and indexes.

    Locks and rewrites each table. Raises an error and changes nothing if a row has a value that the
    new type lacks.
    """
    sql = _REPLACE_ENUM.format(
        type=literal(quote(name, schema)), values=", ".join(map(literal, values))
    )
    op.execute(escape(sql.strip()))


def _module_of(revision: str) -> Any:
    script: Any = context.script
    return script.get_revision(revision).module
