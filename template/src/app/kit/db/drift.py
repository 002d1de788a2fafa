"""What Alembic does not compare by itself: partial indexes, and defaults without an equality.

It knows an index by its name, columns and uniqueness, and would leave one alone that is partial in
the database or in the models only. Two conditions of different wording are not told apart, because
PostgreSQL words them anew; nor are two texts of a CHECK of the same name. docs/database.md lists
what is not compared.
"""

import re
from typing import Any

from alembic.autogenerate.api import AutogenContext
from alembic.operations.ops import AlterColumnOp, CreateIndexOp, DropIndexOp, ModifyTableOps
from alembic.runtime.plugins import Plugin
from alembic.util import DispatchPriority, PriorityDispatchResult
from sqlalchemy import JSON, Column, DefaultClause, Index, String, Table
from sqlalchemy.dialects import postgresql

from app.kit.db import enum_drift, names, schema_drift
from app.kit.db.enum_types import native_enum
from app.kit.db.migration_steps import default_sql

# For `autogenerate_plugins` in migrations/env.py.
COMPARISONS = [
    "alembic.autogenerate.*",
    # CHECK constraints too, by their names.
    "alembic.ext.checkconstraint_byname",
    __name__,
    names.__name__,
    enum_drift.__name__,
    schema_drift.__name__,
]


# The cast in 'a'::kind, as PostgreSQL words a default.
_CAST = re.compile(r"(::[\w .\"\[\]]+)+$")


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


def compare_defaults(
    _context: AutogenContext,
    operation: AlterColumnOp,
    _schema: str | None,
    _table: str,
    _name: str,
    actual: Column[Any],
    declared: Column[Any],
) -> PriorityDispatchResult:
    """Compare defaults of enums, JSON and plain text as text.

    Alembic has PostgreSQL compare them, which fails for a value that the type is yet to have, for
    JSON, which has no `=`, and for a text with a quote in it.
    """
    kind, old, new = declared.type, actual.server_default, declared.server_default
    is_json = isinstance(kind, JSON) and not isinstance(kind, postgresql.JSONB)
    is_text = isinstance(new, DefaultClause) and isinstance(new.arg, str)
    as_text = is_json or native_enum(kind) or (is_text and isinstance(kind, String))
    if not as_text or (old is None and new is None):
        return PriorityDispatchResult.CONTINUE
    operation.existing_server_default = old if isinstance(old, DefaultClause) else None
    if _default(actual) != _default(declared):
        default: Any = new
        operation.modify_server_default = default
    return PriorityDispatchResult.STOP


def _default(column: Column[Any]) -> str:
    return _CAST.sub("", default_sql(column.server_default) or "")


_plugin = Plugin(__name__)
_plugin.add_autogenerate_comparator(compare_conditions, "table", "conditions")
_plugin.add_autogenerate_comparator(
    compare_defaults, "column", "server_default", priority=DispatchPriority.FIRST
)
