"""Helpers for handwritten migrations."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

from alembic import context, op

from app.kit.migrations.autogenerate.enum_values import replace_enum_sql
from app.kit.migrations.autogenerate.steps import escape


def downgrade_revisions(revisions: Sequence[str]) -> None:
    """Run the downgrades of these revisions in reverse order.

    Pass the revisions oldest first. The revision history does not change.
    """
    for revision in reversed(revisions):
        _module_of(revision).downgrade()


def upgrade_revisions(revisions: Sequence[str]) -> None:
    """Run the upgrades of these revisions, oldest first. The revision history does not change."""
    for revision in revisions:
        _module_of(revision).upgrade()


@contextmanager
def outside_transaction() -> Generator[None]:
    """Run the block outside a transaction, for CREATE and DROP INDEX CONCURRENTLY.

    Commits the earlier operations of the migration. Disables the lock timeout, because an
    interrupted build leaves an invalid index, and a build that waits does not block writes.
    """
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")
        yield
        op.execute("RESET lock_timeout")


def replace_enum(name: str, values: Sequence[str], *, schema: str | None = None) -> None:
    """Replace an enum type by a new one with these values, in this order.

    PostgreSQL cannot remove or reorder the values of a type. This function creates a new type and
    converts every column. It keeps defaults, CHECK constraints, foreign keys and indexes.

    Locks and rewrites each table. Raises an error and changes nothing if a row has a value that the
    new type lacks.
    """
    op.execute(escape(replace_enum_sql(name, values, schema)))


def _module_of(revision: str) -> Any:
    script: Any = context.script
    return script.get_revision(revision).module
