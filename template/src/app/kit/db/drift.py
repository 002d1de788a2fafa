"""What Alembic does not compare by itself: whether an index is partial.

It knows an index by its name, columns and uniqueness, and would leave one alone whose condition
came or went. Two conditions of different wording are not told apart: PostgreSQL words them anew.
Nor are two wordings of a CHECK of the same name; docs/database.md lists what nobody compares.
"""

from alembic.autogenerate.api import AutogenContext
from alembic.operations.ops import CreateIndexOp, DropIndexOp, ModifyTableOps
from alembic.runtime.plugins import Plugin
from alembic.util import PriorityDispatchResult
from sqlalchemy import Index, Table

from app.kit.db import enum_drift

# For `autogenerate_plugins` in migrations/env.py.
COMPARISONS = [
    "alembic.autogenerate.*",
    # CHECK constraints too, by their names.
    "alembic.ext.checkconstraint_byname",
    __name__,
    enum_drift.__name__,
]


def compare_conditions(
    _context: AutogenContext,
    operations: ModifyTableOps,
    _schema: str | None,
    _name: str,
    actual: Table | None,
    declared: Table | None,
) -> PriorityDispatchResult:
    """Make anew each index that is partial in the database or the models, but not in both."""
    if actual is not None and declared is not None:
        found = {index.name: index for index in actual.indexes}
        for index in declared.indexes:
            old = found.get(index.name)
            if old is not None and _is_partial(old) != _is_partial(index):
                operations.ops += [DropIndexOp.from_index(old), CreateIndexOp.from_index(index)]
    return PriorityDispatchResult.CONTINUE


def _is_partial(index: Index) -> bool:
    return index.dialect_options["postgresql"].get("where") is not None


Plugin(__name__).add_autogenerate_comparator(compare_conditions, "table", "conditions")
