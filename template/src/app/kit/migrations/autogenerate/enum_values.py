"""Migration steps that change the values of an enum type, and the SQL of `replace_enum`."""

from collections.abc import Sequence
from typing import TypeAlias

from app.kit.migrations.autogenerate.enum_types import Key
from app.kit.migrations.autogenerate.steps import MigrationStep, literal, op_execute, quote

Steps: TypeAlias = tuple[list[MigrationStep], list[MigrationStep]]

_HELPER = "from app.kit.migrations.operations import replace_enum"
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
            RAISE EXCEPTION 'Rows of %.% still have %, which is removed from the enum type %.',
                used."table", used.name, found, name
                USING ERRCODE = 'restrict_violation',
                      HINT = 'Update these rows to another value before replace_enum().';
        END IF;
        -- Constraints and indexes that compare the column with values of the old type.
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
            USING ERRCODE = 'restrict_violation', HINT = 'Before replace_enum(), drop the objects '
                  'that use the type or a removed value. Create them again after it.';
END
$replace$
"""


def change_values(key: Key, old: list[str], new: list[str]) -> Steps:
    """Return the steps to run before and after the changes of tables; both are empty if equal."""
    if old == new:
        return [], []
    if renamed := renamed_values(old, new):
        return _rename(key, renamed)
    added = [value for value in new if value not in old]
    removed = [value for value in old if value not in new]
    kept = [value for value in old if value in new]
    is_reordered = kept != [value for value in new if value in old]
    first: list[MigrationStep] = []
    if added:
        what = f"add to the enum type {key}: {', '.join(added)}"
        order = new if not is_reordered else old + added
        first = [MigrationStep(what, _add(key, added, order, old), _keep(key, added))]
    if not removed and not is_reordered:
        return first, []
    if is_reordered:
        what = f"change the order of the enum type {key} to {', '.join(new)}"
        back = _replace(key, old + added)
    else:
        what = f"remove from the enum type {key}: {', '.join(removed)}"
        back = _add(key, removed, old, new)
    risk = "rewrites and locks each table that uses the type"
    if removed:
        risk += f", and fails while a row has {' or '.join(removed)}"
    up = _replace(key, new)
    return first, [MigrationStep(what, up, back, [_HELPER], risk)]


def renamed_values(old: list[str], new: list[str]) -> list[tuple[str, str]]:
    """Return (old, new) pairs of values if the types differ by new names only; otherwise []."""
    pairs = [pair for pair in zip(old, new, strict=False) if pair[0] != pair[1]]
    if len(old) != len(new) or any(a in new or b in old for a, b in pairs):
        return []
    return pairs


def _rename(key: Key, pairs: list[tuple[str, str]]) -> Steps:
    name = quote(key.name, key.schema)
    changes = ", ".join(f"{old} to {new}" for old, new in pairs)
    comment = [
        f"# Same position in the enum, so this is a rename: {changes}. Rows get the new name.",
        "# If this is a different value, write two migrations: add the new value, remove the old.",
    ]
    up, down = (
        [
            op_execute(f"ALTER TYPE {name} RENAME VALUE {literal(a)} TO {literal(b)}")
            for a, b in both
        ]
        for both in (pairs, [(new, old) for old, new in pairs])
    )
    what = f"rename in the enum type {key}: {changes}"
    risk = "rows get the new name; see the comment in the file if it is a different value"
    # Rename before the tables change, in both directions: defaults use the new names.
    return [MigrationStep(what, comment + up, [], risk=risk)], [MigrationStep(what, [], down)]


def _add(key: Key, added: list[str], order: list[str], present: list[str]) -> list[str]:
    """Add values outside the transaction, so that the transaction can use them."""
    block = ["with op.get_context().autocommit_block():"]
    # An empty line ends the block.
    return [*block, *map(op_execute, _additions(key, added, order, present)), ""]


def _additions(key: Key, added: list[str], order: list[str], present: list[str]) -> list[str]:
    name = quote(key.name, key.schema)
    statements: list[str] = []
    for value in added:
        index = order.index(value)
        position = f" BEFORE {literal(present[0])}" if present else ""
        if index:
            position = f" AFTER {literal(order[index - 1])}"
        statements.append(f"ALTER TYPE {name} ADD VALUE IF NOT EXISTS {literal(value)}{position}")
    return statements


def _keep(key: Key, added: list[str]) -> list[str]:
    return [f"# The enum type {key} keeps {', '.join(added)}: rows may have it.", "pass"]


def _replace(key: Key, values: list[str]) -> list[str]:
    schema = f", schema={str(key.schema)!r}" if key.schema else ""
    return [f"replace_enum({key.name!r}, {values!r}{schema})"]


def replace_enum_sql(name: str, values: Sequence[str], schema: str | None) -> str:
    """Return the statement that replaces the values of an enum type."""
    return _BLOCK.format(
        type=literal(quote(name, schema)), values=", ".join(map(literal, values))
    ).strip()
