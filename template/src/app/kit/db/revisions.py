"""What a revision of your own may do: undo others, build an index while the service writes."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

from alembic import context, op

from app.kit.db.enum_values import replacement
from app.kit.db.migration_steps import escape


def undo(revisions: Sequence[str]) -> None:
    """Do what downgrading these revisions, oldest first, would do; they stay in the history."""
    for revision in reversed(revisions):
        _module_of(revision).downgrade()


def redo(revisions: Sequence[str]) -> None:
    """Do what upgrading to these revisions, oldest first, would do."""
    for revision in revisions:
        _module_of(revision).upgrade()


@contextmanager
def concurrently() -> Generator[None]:
    """Outside a transaction, for CREATE and DROP INDEX CONCURRENTLY; what is before it is kept.

    They wait for others and hold up nobody, so that no lock timeout cuts them short: it would
    leave an index that is not valid.
    """
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")
        yield
        op.execute("RESET lock_timeout")


def replace_enum(name: str, values: Sequence[str], *, schema: str | None = None) -> None:
    """Give an enum type exactly these values, in this order: PostgreSQL removes and moves none.

    A new type takes the place of the old one in every column. Defaults, CHECK constraints, foreign
    keys and indexes that name the values are kept. Locks and rewrites each table. PostgreSQL
    raises an error, and changes nothing, while a row has a value that is not among the new ones.
    """
    op.execute(escape(replacement(name, values, schema)))


def _module_of(revision: str) -> Any:
    script: Any = context.script
    return script.get_revision(revision).module
