"""Steps of a migration that create and change schemas, sequences and enum types."""

from collections.abc import Callable
from typing import Any, TypeAlias, cast

from sqlalchemy import Enum, Inspector, MetaData, Sequence
from sqlalchemy.schema import CreateSequence

from app.kit.migrations.autogenerate.steps import (
    DIALECT,
    MigrationStep,
    literal,
    native_enums,
    op_execute,
    quote,
)

Steps: TypeAlias = tuple[list[MigrationStep], list[MigrationStep]]  # before and after tables

_ENUM_IMPORT = "from app.kit.migrations.operations import replace_enum"


def type_name(enum: Enum) -> str:
    """Return the SQL name of an enum type, with its schema unless it is on the search path."""
    return quote(str(enum.name), cast("Any", enum).schema)


def only_schemas_of(metadata: MetaData) -> Callable[[str | None, str, Any], bool]:
    """Return an `include_name` hook for Alembic that ignores schemas without models.

    With `include_schemas` alone, autogenerate would drop the tables of all other schemas.
    """

    def include_name(name: str | None, kind: str, _parents: Any) -> bool:
        return kind != "schema" or name is None or name in schemas_of(metadata)

    return include_name


def is_not_view(item: Any, _name: Any, _kind: Any, _reflected: Any, _compared: Any) -> bool:
    """Alembic's hook `include_object`: return False for a model of a view, to ignore it."""
    return not item.info.get("is_view")


def schemas_of(metadata: MetaData) -> set[str]:
    """Return the schemas of the models' tables, enum types and sequences, except the default."""
    enums: Any = native_enums(metadata)
    items = (*metadata.tables.values(), *sequences_of(metadata), *enums)
    return {item.schema for item in items if item.schema}


def sequences_of(metadata: MetaData) -> list[Sequence]:
    """Return each `Sequence` of the models."""
    # SQLAlchemy has no public attribute for sequences. Identity and SERIAL columns have no entry.
    found: dict[str, Sequence] = cast("Any", metadata)._sequences
    return sorted(found.values(), key=lambda sequence: sequence.name)


def missing_objects(metadata: MetaData, inspector: Inspector) -> list[MigrationStep]:
    """Return a step for each schema and `Sequence` that only the models have."""
    schemas = {*inspector.get_schema_names()}
    steps = [
        MigrationStep(
            f"create schema {name}",
            [op_execute(f"CREATE SCHEMA IF NOT EXISTS {quote(name)}")],
            [op_execute(f"DROP SCHEMA {quote(name)}")],
            risk="the role of the service needs USAGE on it, and privileges on its tables",
        )
        for name in sorted(schemas_of(metadata) - schemas)
    ]
    for sequence in sequences_of(metadata):
        name, schema = quote(sequence.name, sequence.schema), sequence.schema
        if schema in {None, *schemas} and sequence.name in inspector.get_sequence_names(schema):
            continue
        create = str(CreateSequence(sequence).compile(dialect=DIALECT))
        risk = "the role of the service needs USAGE on it, unless it has default privileges"
        drop = op_execute(f"DROP SEQUENCE {name}")
        steps.append(
            MigrationStep(f"create sequence {name}", [op_execute(create)], [drop], risk=risk)
        )
    return steps


def create_type(enum: Enum) -> MigrationStep:
    """Return the step that creates an enum type. Its reverse drops the type."""
    name, labels = type_name(enum), ", ".join(map(literal, enum.enums))
    return MigrationStep(
        f"create the enum type {name}",
        [op_execute(f"CREATE TYPE {name} AS ENUM ({labels})")],
        [op_execute(f"DROP TYPE {name}")],
    )


def change_values(enum: Enum, old: list[str]) -> Steps:
    """Return the steps to run before and after the changes of tables; both are empty if equal."""
    new: list[str] = list(enum.enums)
    if old == new:
        return [], []
    if renamed := renamed_values(old, new):
        return _rename(enum, renamed)
    added = [value for value in new if value not in old]
    removed = [value for value in old if value not in new]
    is_reordered = [each for each in old if each in new] != [each for each in new if each in old]
    before: list[MigrationStep] = []
    if added:
        what = f"add to the enum type {type_name(enum)}: {', '.join(added)}"
        keep = f"# The enum type {type_name(enum)} keeps {', '.join(added)}: rows may have it."
        # If the order changes, a later step replaces the type: the values go to the end until then.
        add = _add(enum, added, old + added if is_reordered else new, old)
        before.append(MigrationStep(what, add, [keep, "pass"]))
    if not removed and not is_reordered:
        return before, []
    what = f"change the values of the enum type {type_name(enum)} to {', '.join(new)}"
    risk = "rewrites and locks each table that uses the type"
    if removed:
        risk += f", and fails while a row has {' or '.join(removed)}"
    upgrade, downgrade = _replace(enum, new), _replace(enum, old + added)
    return before, [MigrationStep(what, upgrade, downgrade, [_ENUM_IMPORT], risk)]


def renamed_values(old: list[str], new: list[str]) -> list[tuple[str, str]]:
    """Return (old, new) pairs of values if the types differ by new names only; otherwise []."""
    pairs = [pair for pair in zip(old, new, strict=False) if pair[0] != pair[1]]
    if len(old) != len(new) or any(a in new or b in old for a, b in pairs):
        return []
    return pairs


def _rename(enum: Enum, pairs: list[tuple[str, str]]) -> Steps:
    changes = ", ".join(f"{old} to {new}" for old, new in pairs)
    alter = f"ALTER TYPE {type_name(enum)} RENAME VALUE"
    upgrade = [
        f"# Same position in the enum, so this is a rename: {changes}. Rows get the new name.",
        "# If this is a different value, write two migrations: add the new value, remove the old.",
        *(op_execute(f"{alter} {literal(old)} TO {literal(new)}") for old, new in pairs),
    ]
    downgrade = [op_execute(f"{alter} {literal(new)} TO {literal(old)}") for old, new in pairs]
    what = f"rename in the enum type {type_name(enum)}: {changes}"
    risk = "rows get the new name; see the comment in the file if it is a different value"
    # Rename before the tables change, in both directions: defaults use the new names.
    return [MigrationStep(what, upgrade, [], risk=risk)], [MigrationStep(what, [], downgrade)]


def _add(enum: Enum, added: list[str], order: list[str], old: list[str]) -> list[str]:
    """Return lines that add values to the `old` ones, at their positions in `order`."""
    # Outside the transaction, so that the transaction can use the values.
    lines = ["with op.get_context().autocommit_block():"]
    for value in added:
        position = f" BEFORE {literal(old[0])}" if old else ""
        if index := order.index(value):
            position = f" AFTER {literal(order[index - 1])}"
        add = f"ADD VALUE IF NOT EXISTS {literal(value)}{position}"
        lines.append(op_execute(f"ALTER TYPE {type_name(enum)} {add}"))
    # An empty line ends the block.
    return [*lines, ""]


def _replace(enum: Enum, values: list[str]) -> list[str]:
    schema = cast("Any", enum).schema
    in_schema = f", schema={str(schema)!r}" if schema else ""
    return [f"replace_enum({str(enum.name)!r}, {values!r}{in_schema})"]
