"""The steps that bring an enum type from some values to others."""

from app.kit.db.enum_catalog import Key
from app.kit.db.migration_steps import MigrationStep, literal, op_execute, quote

Steps = tuple[list[MigrationStep], list[MigrationStep]]

_HELPER = "from app.kit.db.revisions import replace_enum"


def change_values(key: Key, old: list[str], new: list[str]) -> Steps:
    """Return the steps before the tables change, and those after; none where nothing differs."""
    if old == new:
        return [], []
    if renamed := renamed_values(old, new):
        return _rename(key, renamed)
    added = [value for value in new if value not in old]
    removed = [value for value in old if value not in new]
    kept = [value for value in old if value in new]
    is_reordered = kept != [value for value in new if value in old]
    if not removed and not is_reordered:
        what = f"add to the enum type {key}: {', '.join(added)}"
        return [MigrationStep(what, _add(key, added, new, old), _keep(key, added))], []
    first: list[MigrationStep] = []
    if added:
        what = f"add to the enum type {key}: {', '.join(added)}"
        order = new if not is_reordered else old + added
        first = [MigrationStep(what, _add(key, added, order, old), _keep(key, added))]
    if is_reordered:
        what = f"change the order of the enum type {key} to {', '.join(new)}"
        back = _replace(key, old + added)
    else:
        what = f"remove from the enum type {key}: {', '.join(removed)}"
        back = _add(key, removed, old, new)
    risk = "rewrites and locks each table that has the type"
    if removed:
        risk += f", and fails while a row has {' or '.join(removed)}"
    up = _replace(key, new)
    return first, [MigrationStep(what, up, back, [_HELPER], risk)]


def renamed_values(old: list[str], new: list[str]) -> list[tuple[str, str]]:
    """Return pairs of values, where each that differs is new in the place of one that is gone."""
    pairs = [pair for pair in zip(old, new, strict=False) if pair[0] != pair[1]]
    if len(old) != len(new) or any(a in new or b in old for a, b in pairs):
        return []
    return pairs


def _rename(key: Key, pairs: list[tuple[str, str]]) -> Steps:
    name = quote(key.name, key.schema)
    told = ", ".join(f"{old} to {new}" for old, new in pairs)
    comment = [
        f"# Taken for renamed, from the place in the enum: {told}. Rows get the new name.",
        "# Is it another value? Write two migrations: one that adds it, one that removes the old.",
    ]
    up, down = (
        [
            op_execute(f"ALTER TYPE {name} RENAME VALUE {literal(a)} TO {literal(b)}")
            for a, b in both
        ]
        for both in (pairs, [(new, old) for old, new in pairs])
    )
    what = f"rename in the enum type {key}: {told}"
    risk = "rows get the new name. Is it another value? See the comment in the file"
    # In both directions before the tables change: their defaults name the new values.
    return [MigrationStep(what, comment + up, [], risk=risk)], [MigrationStep(what, [], down)]


def _add(key: Key, added: list[str], order: list[str], present: list[str]) -> list[str]:
    """Add values in their places, outside the transaction so that it may use them."""
    name = quote(key.name, key.schema)
    statements: list[str] = []
    for value in added:
        index = order.index(value)
        place = f" BEFORE {literal(present[0])}" if present else ""
        if index:
            place = f" AFTER {literal(order[index - 1])}"
        statements.append(f"ALTER TYPE {name} ADD VALUE IF NOT EXISTS {literal(value)}{place}")
    block = ["with op.get_context().autocommit_block():"]
    # An empty line ends the block.
    return [*block, *map(op_execute, statements), ""]


def _keep(key: Key, added: list[str]) -> list[str]:
    return [f"# The enum type {key} keeps {', '.join(added)}: rows may have it.", "pass"]


def _replace(key: Key, values: list[str]) -> list[str]:
    schema = f", schema={str(key.schema)!r}" if key.schema else ""
    return [f"replace_enum({key.name!r}, {values!r}{schema})"]
