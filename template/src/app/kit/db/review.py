"""What a revision that Alembic wrote would do, and what a person has to look at in it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from alembic.operations import ops

from app.kit.db.migration_steps import MigrationStep

_LOST = "what is in it is lost. Was it renamed? Alembic cannot tell: write"
_BUSY = "holds up those who write while it looks at every row"


class Change(NamedTuple):
    """One step, and why it may do harm."""

    what: str
    risk: str | None = None


@dataclass
class Review:
    """The changes of a revision; `of` is for Alembic to call with it."""

    changes: list[Change] = field(default_factory=list[Change])

    def of(self, _context: Any, _revision: Any, directives: list[ops.MigrationScript]) -> None:
        """Look at a revision before it is written; one that does nothing is not."""
        (script,) = directives
        upgrade = script.upgrade_ops
        if upgrade is None or upgrade.is_empty():
            directives.clear()
            return
        self.changes = list(changes_of(upgrade.ops))


def changes_of(operations: list[ops.MigrateOperation]) -> Iterator[Change]:
    """Each step, in the order in which they are done."""
    # What has no rows yet is changed in no time.
    new: set[str] = set()
    for operation in operations:
        if isinstance(operation, ops.CreateTableOp):
            new.add(operation.table_name)
        if isinstance(operation, ops.ModifyTableOps):
            for each in operation.ops:
                yield _change(each, is_new=operation.table_name in new)
        else:
            yield _change(operation, is_new=getattr(operation, "table_name", None) in new)


def _change(operation: ops.MigrateOperation, *, is_new: bool) -> Change:
    match operation:
        case ops.CreateTableOp():
            return Change(f"make the table {operation.table_name}")
        case ops.DropTableOp():
            risk = f"{_LOST} op.rename_table"
            return Change(f"drop the table {operation.table_name}", risk)
        case ops.AddColumnOp():
            return _added(operation)
        case ops.DropColumnOp():
            column = f"{operation.table_name}.{operation.column_name}"
            return Change(
                f"drop the column {column}", f"{_LOST} op.alter_column(…, new_column_name=…)"
            )
        case ops.AlterColumnOp():
            return _altered(operation)
        case ops.CreateIndexOp():
            risk = "holds up those who write until it is built; `with concurrently():` does not"
            return Change(f"make the index {operation.index_name}", None if is_new else risk)
        case ops.DropIndexOp():
            return Change(f"drop the index {operation.index_name}")
        case ops.DropConstraintOp():
            return Change(f"drop the constraint {operation.constraint_name}")
        case ops.AddConstraintOp():
            name = getattr(operation, "constraint_name", None)
            return Change(f"add the constraint {name}", None if is_new else _BUSY)
        case MigrationStep():
            return Change(operation.what, operation.risk)
        case _:
            told = " ".join(str(part) for part in operation.to_diff_tuple())
            return Change(told, "look at it closely: it has no word of its own here")


def _added(operation: ops.AddColumnOp) -> Change:
    column = operation.column
    must_be_given = not column.nullable and column.server_default is None
    risk = "fails where there are rows: give it a server default, or add it nullable and fill it"
    what = f"add the column {operation.table_name}.{column.name}"
    return Change(what, risk if must_be_given else None)


def _altered(operation: ops.AlterColumnOp) -> Change:
    what = f"change the column {operation.table_name}.{operation.column_name}"
    if operation.modify_type is not None:
        return Change(f"{what} to {operation.modify_type!r}", f"{_BUSY}, and may write it anew")
    if operation.modify_nullable is False:
        return Change(f"{what} to NOT NULL", f"{_BUSY}, and fails where one is empty")
    return Change(what)
