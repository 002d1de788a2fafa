"""Steps of a migration that create and change schemas, sequences and enum types."""

from collections.abc import Callable
from typing import Any, TypeAlias, cast

from sqlalchemy import Connection, MetaData, Sequence, inspect
from sqlalchemy.schema import CreateSequence

from app.kit.migrations.autogenerate.enum_types import Key, native_enums
from app.kit.migrations.autogenerate.steps import (
    DIALECT,
    MigrationStep,
    literal,
    op_execute,
    quote,
)

Steps: TypeAlias = tuple[list[MigrationStep], list[MigrationStep]]

_HELPER = "from app.kit.migrations.operations import replace_enum"


def schemas_of(metadata: MetaData) -> set[str]:
    """Return the schemas of the models' tables, enum types and sequences, except the default."""
    tables = {table.schema for table in metadata.tables.values()}
    enums: set[str | None] = {cast("Any", enum).schema for enum in native_enums(metadata)}
    sequences = {sequence.schema for sequence in _sequences_of(metadata)}
    return {name for name in tables | enums | sequences if name}


def only_schemas_of(metadata: MetaData) -> Callable[[str | None, str, Any], bool]:
    """Return an `include_name` hook for Alembic that ignores schemas without models.

    With `include_schemas` alone, autogenerate would drop the tables of all other schemas.
    """

    def include_name(name: str | None, kind: str, _parents: Any) -> bool:
        return kind != "schema" or name is None or name in schemas_of(metadata)

    return include_name


def is_not_view(item: Any, _name: Any, _kind: Any, _reflected: Any, _compared: Any) -> bool:
    """Return False for a model of a view. As the hook `include_object`, Alembic then ignores it."""
    return not item.info.get("is_view")


def missing_schemas(metadata: MetaData, connection: Connection) -> list[MigrationStep]:
    """Return a step for each schema of the models that does not exist in the database."""
    missing = schemas_of(metadata) - {*inspect(connection).get_schema_names()}
    return [_create(name) for name in sorted(missing)]


def _create(name: str) -> MigrationStep:
    return MigrationStep(
        f"create schema {name}",
        [op_execute(f"CREATE SCHEMA IF NOT EXISTS {quote(name)}")],
        [op_execute(f"DROP SCHEMA {quote(name)}")],
        risk="the role of the service needs USAGE on it, and privileges on its tables",
    )


def missing_sequences(metadata: MetaData, connection: Connection) -> list[MigrationStep]:
    """Return a step for each `Sequence` of the models that does not exist in the database."""
    inspector = inspect(connection)
    schemas = {*inspector.get_schema_names()}
    return [
        _create_sequence(each)
        for each in sorted(_sequences_of(metadata), key=lambda each: each.name)
        if (each.schema and each.schema not in schemas)
        or each.name not in inspector.get_sequence_names(each.schema)
    ]


def _sequences_of(metadata: MetaData) -> list[Sequence]:
    # SQLAlchemy has no public attribute for sequences. Identity and SERIAL columns have no entry.
    found: dict[str, Sequence] = cast("Any", metadata)._sequences
    return list(found.values())


def _create_sequence(sequence: Sequence) -> MigrationStep:
    sql = str(CreateSequence(sequence).compile(dialect=DIALECT))
    name = quote(sequence.name, sequence.schema)
    risk = "the role of the service needs USAGE on it, unless it has default privileges"
    what = f"create sequence {name}"
    return MigrationStep(what, [op_execute(sql)], [op_execute(f"DROP SEQUENCE {name}")], risk=risk)


def create_type(key: Key, values: list[str]) -> MigrationStep:
    """Return the step that creates an enum type."""
    what = f"create the enum type {key}"
    return MigrationStep(what, [_creation(key, values)], [_removal(key)])


def drop_type(key: Key, values: list[str]) -> MigrationStep:
    """Return the step that drops an enum type."""
    what = f"drop the enum type {key}, which no column uses"
    return MigrationStep(what, [_removal(key)], [_creation(key, values)])


def _creation(key: Key, values: list[str]) -> str:
    named = ", ".join(map(literal, values))
    return op_execute(f"CREATE TYPE {quote(key.name, key.schema)} AS ENUM ({named})")


def _removal(key: Key) -> str:
    return op_execute(f"DROP TYPE {quote(key.name, key.schema)}")


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
