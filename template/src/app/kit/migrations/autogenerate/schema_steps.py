"""Steps of a migration that create and change schemas, sequences and enum types."""

from collections.abc import Callable
from typing import Any, NamedTuple, Self, TypeAlias, cast

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


class EnumName(NamedTuple):
    """The name of an enum type. The schema is None if the type is on the search path."""

    schema: str | None
    name: str

    @classmethod
    def of(cls, enum: Enum) -> Self:
        """Return the name of a type of the models or the database."""
        return cls(cast("Any", enum).schema, str(enum.name))

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name


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
    found = {EnumName.of(enum).schema for enum in native_enums(metadata)}
    found |= {item.schema for item in (*metadata.tables.values(), *_sequences(metadata))}
    return {name for name in found if name}


def _sequences(metadata: MetaData) -> list[Sequence]:
    # SQLAlchemy has no public attribute for sequences. Identity and SERIAL columns have no entry.
    found: dict[str, Sequence] = cast("Any", metadata)._sequences
    return sorted(found.values(), key=lambda sequence: sequence.name)


def missing_objects(metadata: MetaData, inspector: Inspector) -> list[MigrationStep]:
    """Return a step for each schema and `Sequence` that only the models have."""
    schemas = {*inspector.get_schema_names()}
    steps = [_create_schema(name) for name in sorted(schemas_of(metadata) - schemas)]
    for sequence in _sequences(metadata):
        is_in_new_schema = sequence.schema and sequence.schema not in schemas
        if is_in_new_schema or sequence.name not in inspector.get_sequence_names(sequence.schema):
            steps.append(_create_sequence(sequence))
    return steps


def _create_schema(name: str) -> MigrationStep:
    return MigrationStep(
        f"create schema {name}",
        [op_execute(f"CREATE SCHEMA IF NOT EXISTS {quote(name)}")],
        [op_execute(f"DROP SCHEMA {quote(name)}")],
        risk="the role of the service needs USAGE on it, and privileges on its tables",
    )


def _create_sequence(sequence: Sequence) -> MigrationStep:
    name = quote(sequence.name, sequence.schema)
    return MigrationStep(
        f"create sequence {name}",
        [op_execute(str(CreateSequence(sequence).compile(dialect=DIALECT)))],
        [op_execute(f"DROP SEQUENCE {name}")],
        risk="the role of the service needs USAGE on it, unless it has default privileges",
    )


def create_type(name: EnumName, values: list[str]) -> MigrationStep:
    """Return the step that creates an enum type."""
    type_name, labels = quote(name.name, name.schema), ", ".join(map(literal, values))
    return MigrationStep(
        f"create the enum type {name}",
        [op_execute(f"CREATE TYPE {type_name} AS ENUM ({labels})")],
        [op_execute(f"DROP TYPE {type_name}")],
    )


def drop_type(name: EnumName, values: list[str]) -> MigrationStep:
    """Return the step that drops an enum type."""
    create = create_type(name, values)
    what = f"drop the enum type {name}, which no column uses"
    return MigrationStep(what, create.downgrade, create.upgrade)


def change_values(name: EnumName, old: list[str], new: list[str]) -> Steps:
    """Return the steps to run before and after the changes of tables; both are empty if equal."""
    if old == new:
        return [], []
    if renamed := renamed_values(old, new):
        return _rename(name, renamed)
    added = [value for value in new if value not in old]
    removed = [value for value in old if value not in new]
    kept = [value for value in old if value in new]
    is_reordered = kept != [value for value in new if value in old]
    before: list[MigrationStep] = []
    if added:
        keep = [f"# The enum type {name} keeps {', '.join(added)}: rows may have it.", "pass"]
        # If the order changes, a later step replaces the type: the values go to the end until then.
        add = _add(name, added, old + added if is_reordered else new, old)
        before = [MigrationStep(f"add to the enum type {name}: {', '.join(added)}", add, keep)]
    if not removed and not is_reordered:
        return before, []
    if is_reordered:
        what = f"change the order of the enum type {name} to {', '.join(new)}"
        downgrade = _replace(name, old + added)
    else:
        what = f"remove from the enum type {name}: {', '.join(removed)}"
        downgrade = _add(name, removed, old, new)
    risk = "rewrites and locks each table that uses the type"
    if removed:
        risk += f", and fails while a row has {' or '.join(removed)}"
    return before, [MigrationStep(what, _replace(name, new), downgrade, [_ENUM_IMPORT], risk)]


def renamed_values(old: list[str], new: list[str]) -> list[tuple[str, str]]:
    """Return (old, new) pairs of values if the types differ by new names only; otherwise []."""
    pairs = [pair for pair in zip(old, new, strict=False) if pair[0] != pair[1]]
    if len(old) != len(new) or any(a in new or b in old for a, b in pairs):
        return []
    return pairs


def _rename(name: EnumName, pairs: list[tuple[str, str]]) -> Steps:
    changes = ", ".join(f"{old} to {new}" for old, new in pairs)
    alter = f"ALTER TYPE {quote(name.name, name.schema)} RENAME VALUE"
    upgrade = [
        f"# Same position in the enum, so this is a rename: {changes}. Rows get the new name.",
        "# If this is a different value, write two migrations: add the new value, remove the old.",
        *(op_execute(f"{alter} {literal(old)} TO {literal(new)}") for old, new in pairs),
    ]
    downgrade = [op_execute(f"{alter} {literal(new)} TO {literal(old)}") for old, new in pairs]
    what = f"rename in the enum type {name}: {changes}"
    risk = "rows get the new name; see the comment in the file if it is a different value"
    # Rename before the tables change, in both directions: defaults use the new names.
    return [MigrationStep(what, upgrade, [], risk=risk)], [MigrationStep(what, [], downgrade)]


def _add(name: EnumName, added: list[str], order: list[str], present: list[str]) -> list[str]:
    """Return lines that add values to the `present` ones, at their positions in `order`."""
    # Outside the transaction, so that the transaction can use the values.
    lines = ["with op.get_context().autocommit_block():"]
    for value in added:
        position = f" BEFORE {literal(present[0])}" if present else ""
        if index := order.index(value):
            position = f" AFTER {literal(order[index - 1])}"
        add = f"ADD VALUE IF NOT EXISTS {literal(value)}{position}"
        lines.append(op_execute(f"ALTER TYPE {quote(name.name, name.schema)} {add}"))
    # An empty line ends the block.
    return [*lines, ""]


def _replace(name: EnumName, values: list[str]) -> list[str]:
    schema = f", schema={str(name.schema)!r}" if name.schema else ""
    return [f"replace_enum({name.name!r}, {values!r}{schema})"]
