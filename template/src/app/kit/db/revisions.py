"""Permanent aliases of `app.kit.migrations.operations`, which migrations import by this path."""

from app.kit.migrations.operations import (
    downgrade_revisions,
    outside_transaction,
    replace_enum,
    upgrade_revisions,
)

__all__ = [
    "concurrently",
    "downgrade_revisions",
    "outside_transaction",
    "redo",
    "replace_enum",
    "undo",
    "upgrade_revisions",
]

concurrently = outside_transaction
redo = upgrade_revisions
undo = downgrade_revisions
