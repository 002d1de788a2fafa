"""Describe the operations of a generated migration, and what to check in each."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from alembic.operations import ops

from app.kit.db.migration_steps import MigrationStep

_LOST = "its data is lost. If it was renamed, which Alembic does not detect, write"
_BLOCKS = "blocks writes to the table while it scans every row"


class Change(NamedTuple):
    """One operation, and its risk if it has one."""

    what: str
    risk: str | None = None


@dataclass
class Review:
    """The changes of a migration; pass `of` to Alembic as `process_revision_directives`."""

    changes: list[Change] = field(default_factory=list[Change])

    def of(self, _context: Any, _revision: Any, directives: list[ops.MigrationScript]) -> None:
        """Review a migration before it is written; an empty one is not written."""
        (script,) = directives
        upgrade = script.upgrade_ops
        if upgrade is None or upgrade.is_empty():
            directives.clear()
            return
        self.changes = list(changes_of(upgrade.ops))


def changes_of(operations: list[ops.MigrateOperation]) -> Iterator[Change]:
    """Each operation, in the order of its execution."""
    # A table without rows is locked for no time worth mentioning.
    new: set[str] = set()
    for operation in operations:
        if isinstance(operation, ops.CreateTableOp):
            new.add(_table(operation))
        if isinstance(operation, ops.ModifyTableOps):
            for each in operation.ops:
                yield _change(each, is_new=_table(operation) in new)
        else:
            yield _change(operation, is_new=_table(operation) in new)


def _table(operation: Any) -> str:
    """Return the name of the table that an operation is about, with its schema if it has one."""
    names = getattr(operation, "schema", None), getattr(operation, "table_name", "")
    return ".".join(filter(None, names))


def _change(operation: ops.MigrateOperation, *, is_new: bool) -> Change:
    match operation:
        case ops.CreateTableOp():
            return Change(f"create table {_table(operation)}")
        case ops.DropTableOp():
            risk = f"{_LOST} op.rename_table"
            return Change(f"drop table {_table(operation)}", risk)
        case ops.AddColumnOp():
            return _added(operation)
        case ops.DropColumnOp():
            column = f"{_table(operation)}.{operation.column_name}"
            return Change(f"drop column {column}", f"{_LOST} op.alter_column(…, new_column_name=…)")
        case ops.AlterColumnOp():
            return _altered(operation)
        case ops.CreateIndexOp():
            risk = "blocks writes to the table until it is built; `with concurrently():` does not"
            return Change(f"create index {operation.index_name}", None if is_new else risk)
        case ops.DropIndexOp():
            return Change(f"drop index {operation.index_name}")
        case ops.DropConstraintOp():
            return Change(f"drop constraint {operation.constraint_name}")
        case ops.AddConstraintOp():
            name = getattr(operation, "constraint_name", None)
            return Change(f"add constraint {name}", None if is_new else _BLOCKS)
        case ops.CreateTableCommentOp() | ops.DropTableCommentOp():
            return Change(f"change the comment of table {_table(operation)}")
        case MigrationStep():
            return Change(operation.what, operation.risk)
        case _:
            return Change(f"{type(operation).__name__}", "is not known to this review: read it")


def _added(operation: ops.AddColumnOp) -> Change:
    column = operation.column
    what = f"add column {_table(operation)}.{column.name}"
    if column.computed is not None or column.identity is not None:
        return Change(what, "blocks reads and writes of the table while it rewrites every row")
    if not column.nullable and column.server_default is None:
        risk = "fails if the table has rows: add a server default, or add it nullable and fill it"
        return Change(what, risk)
    return Change(what)


def _altered(operation: ops.AlterColumnOp) -> Change:
    what = f"alter column {_table(operation)}.{operation.column_name}"
    if operation.modify_type is not None:
        return Change(f"{what}, type {operation.modify_type!r}", f"{_BLOCKS}, and may rewrite it")
    if operation.modify_nullable is False:
        return Change(f"{what}, NOT NULL", f"{_BLOCKS}, and fails if one is NULL")
    if operation.modify_nullable:
        return Change(f"{what}, NULL allowed")
    if operation.modify_server_default is not False:
        return Change(f"{what}, server default")
    return Change(f"{what}, comment" if operation.modify_comment is not False else what)
