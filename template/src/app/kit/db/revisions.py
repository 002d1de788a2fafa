"""Undoing revisions that others were built upon: what a revision of your own may do."""

from collections.abc import Sequence
from typing import Any

from alembic import context


def undo(revisions: Sequence[str]) -> None:
    """Do what downgrading these revisions, oldest first, would do; they stay in the history."""
    for revision in reversed(revisions):
        _module_of(revision).downgrade()


def redo(revisions: Sequence[str]) -> None:
    """Do what upgrading to these revisions, oldest first, would do."""
    for revision in revisions:
        _module_of(revision).upgrade()


def _module_of(revision: str) -> Any:
    script: Any = context.script
    return script.get_revision(revision).module
