"""Autogenerate support for PostgreSQL schemas and sequences."""

from collections.abc import Callable
from typing import Any, cast

from alembic.autogenerate.api import AutogenContext
from alembic.operations.ops import CreateForeignKeyOp, DropConstraintOp, ModifyTableOps
from alembic.runtime.plugins import Plugin
from alembic.util import DispatchPriority, PriorityDispatchResult
from sqlalchemy import Connection, ForeignKeyConstraint, MetaData, Sequence, Table, inspect
from sqlalchemy.schema import CreateSequence

from app.kit.migrations.autogenerate.enum_types import native_enums
from app.kit.migrations.autogenerate.steps import DIALECT, MigrationStep, op_execute, quote


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


def match_foreign_keys(
    context: AutogenContext,
    operations: ModifyTableOps,
    _schema: str | None,
    _name: str,
    _actual: Table | None,
    _declared: Table | None,
) -> PriorityDispatchResult:
    """Keep a foreign key that differs only in an explicit or implicit default schema."""
    default = context.dialect.default_schema_name if context.dialect else None
    dropped = [each for each in operations.ops if isinstance(each, DropConstraintOp)]
    for added in [each for each in operations.ops if isinstance(each, CreateForeignKeyOp)]:
        definition = _definition(added.to_constraint(), default)
        for each in dropped:
            old = each.to_constraint()
            if isinstance(old, ForeignKeyConstraint) and _definition(old, default) == definition:
                operations.ops.remove(each)
                operations.ops.remove(added)
                break
    return PriorityDispatchResult.CONTINUE


def _definition(key: ForeignKeyConstraint, default: str | None) -> tuple[Any, ...]:
    targets = [each.target_fullname.removeprefix(f"{default}.") for each in key.elements]
    rules = [(rule or "NO ACTION").upper() for rule in (key.ondelete, key.onupdate)]
    timing = bool(key.deferrable), (key.initially or "IMMEDIATE").upper()
    return str(key.name), [*key.column_keys], targets, rules, timing


Plugin(__name__).add_autogenerate_comparator(
    match_foreign_keys, "table", "schemas", priority=DispatchPriority.LAST
)
