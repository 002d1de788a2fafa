"""What Alembic does not compare by itself: the values of enumerated types.

A value more in the models is written as a statement that adds it. PostgreSQL can neither take one
away nor move it: a value more in the database, or another order, is an error in the revision that
says so, for a person to settle. A type that no table has yet comes with its table.
"""

from collections.abc import Iterable
from typing import Any, cast

from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import renderers
from alembic.operations.ops import MigrateOperation, UpgradeOps
from alembic.runtime.plugins import Plugin
from alembic.util import PriorityDispatchResult
from sqlalchemy import ARRAY, Enum, MetaData, text
from sqlalchemy.engine.default import DefaultDialect

_QUOTING = DefaultDialect().identifier_preparer
_VALUES = text(
    "SELECT t.typname, array_agg(e.enumlabel::text ORDER BY e.enumsortorder)"
    " FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid"
    " WHERE pg_type_is_visible(t.oid) GROUP BY t.typname"
)


class ChangeEnum(MigrateOperation):
    """Bring an enumerated type from some values to others."""

    def __init__(self, name: str, old: list[str], new: list[str]) -> None:
        self.name, self.old, self.new = name, old, new

    def to_diff_tuple(self) -> tuple[str, str, list[str], list[str]]:
        """The difference as `alembic check` tells of it."""
        return ("change_enum", self.name, self.old, self.new)

    def reverse(self) -> MigrateOperation:
        """What the downgrade has to say."""
        return KeepValues(self.name)

    def statements(self) -> list[str] | None:
        """What adds the new values in their places; None where that is not enough."""
        if self.old != [value for value in self.new if value in self.old]:
            return None
        name = _QUOTING.quote(self.name)
        return [
            f"ALTER TYPE {name} ADD VALUE IF NOT EXISTS {_literal(value)}{self._place(value)}"
            for value in self.new
            if value not in self.old
        ]

    def _place(self, value: str) -> str:
        index = self.new.index(value)
        if index:
            return f" AFTER {_literal(self.new[index - 1])}"
        return f" BEFORE {_literal(self.old[0])}" if self.old else ""


class KeepValues(MigrateOperation):
    """A downgrade leaves the values of a type; adding them again does nothing."""

    def __init__(self, name: str) -> None:
        self.name = name


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def compare_enums(
    context: AutogenContext, operations: UpgradeOps, _schemas: set[str | None]
) -> PriorityDispatchResult:
    """Tell of each type that has other values, or another order, than in the models."""
    metadata, connection = context.metadata, context.connection
    if isinstance(metadata, MetaData) and connection is not None:
        found: dict[str, list[str]] = {row[0]: row[1] for row in connection.execute(_VALUES)}
        for enum in {enum.name: enum for enum in _enums(metadata)}.values():
            old = found.get(str(enum.name))
            if old is not None and old != list(enum.enums):
                operations.ops.append(ChangeEnum(str(enum.name), old, list(enum.enums)))
    return PriorityDispatchResult.CONTINUE


def _enums(metadata: MetaData) -> Iterable[Enum]:
    for table in metadata.tables.values():
        for column in table.columns:
            kind: Any = column.type
            if isinstance(kind, ARRAY):
                kind = cast(Any, kind).item_type
            if isinstance(kind, Enum) and kind.native_enum and kind.name:
                yield kind


@renderers.dispatch_for(ChangeEnum)
def _render_change(_context: AutogenContext, operation: ChangeEnum) -> list[str]:
    statements = operation.statements()
    if statements is None:
        problem = (
            f"{operation.name}: PostgreSQL cannot take away or move a value; make a new type "
            f"for {operation.old} to become {operation.new}"
        )
        return [f"raise NotImplementedError({problem!r})"]
    return [f"op.execute({statement!r})" for statement in statements]


@renderers.dispatch_for(KeepValues)
def _render_kept(_context: AutogenContext, operation: KeepValues) -> list[str]:
    return [f"# The values of {operation.name} stay: PostgreSQL takes none away.", "pass"]


Plugin(__name__).add_autogenerate_comparator(compare_enums, "schema", "enums")
