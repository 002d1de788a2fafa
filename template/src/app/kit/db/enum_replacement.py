"""The SQL that gives an enum type other values: one statement, which also works offline."""

from collections.abc import Sequence

from app.kit.db.migration_steps import literal, quote

_BLOCK = """
DO $replace$
DECLARE
    old regtype := {type};
    wanted text[] := ARRAY[{values}]::text[];
    name text;
    used record;
    found text;
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
        ) INTO found USING wanted;
        IF found IS NOT NULL THEN
            RAISE EXCEPTION 'Rows of %.% still have %, which the enum type % is to lose.',
                used."table", used.name, found, name
                USING ERRCODE = 'restrict_violation',
                      HINT = 'Give these rows another value first, above replace_enum().';
        END IF;
        -- Each compares the column with values of the old type.
        SELECT drops || coalesce(array_agg(one), ARRAY[]::text[]),
               creates || coalesce(array_agg(other), ARRAY[]::text[])
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
          ) AS dependents (one, other);
        changes := changes || concat(
            format('ALTER TABLE %s ALTER COLUMN %s DROP DEFAULT, ', used."table", used.name),
            format('ALTER COLUMN %1$s TYPE %2$s%3$s USING %1$s::text%3$s::%2$s%3$s',
                   used.name, name, used.brackets),
            format(', ALTER COLUMN %s SET DEFAULT ', used.name) || used.default_value);
    END LOOP;
    FOR statement IN SELECT DISTINCT unnest(drops) LOOP EXECUTE statement; END LOOP;
    EXECUTE format('ALTER TYPE %s RENAME TO %I', name, 'replaced_' || old::oid);
    SELECT string_agg(quote_literal(value), ', ' ORDER BY place) INTO found
      FROM unnest(wanted) WITH ORDINALITY AS each (value, place);
    EXECUTE format('CREATE TYPE %s AS ENUM (%s)', name, found);
    FOREACH statement IN ARRAY changes LOOP EXECUTE statement; END LOOP;
    FOR statement IN SELECT DISTINCT unnest(creates) LOOP EXECUTE statement; END LOOP;
    EXECUTE format('DROP TYPE %s', old);
EXCEPTION
    WHEN feature_not_supported OR dependent_objects_still_exist OR invalid_text_representation THEN
        GET STACKED DIAGNOSTICS found = PG_EXCEPTION_DETAIL;
        RAISE EXCEPTION 'The enum type % cannot be replaced: %. %', name, SQLERRM, found
            USING ERRCODE = 'restrict_violation', HINT = 'Above replace_enum(), drop what uses '
                  'the type or a value that it loses; create it again below.';
END
$replace$
"""


def replacement(name: str, values: Sequence[str], schema: str | None) -> str:
    """Return the statement for a type of this name."""
    return _BLOCK.format(
        type=literal(quote(name, schema)), values=", ".join(map(literal, values))
    ).strip()
