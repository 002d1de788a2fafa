"""What Alembic does not compare by itself: defaults without an equality, and more in COMPARISONS.

docs/database.md lists what is not compared.
"""

import re
from typing import Any

from alembic.autogenerate.api import AutogenContext
from alembic.operations.ops import AlterColumnOp
from alembic.runtime.plugins import Plugin
from alembic.util import DispatchPriority, PriorityDispatchResult
from sqlalchemy import JSON, Column, DefaultClause, String
from sqlalchemy.dialects import postgresql

from app.kit.db import conditions, enum_drift, migration_order, names, schema_drift
from app.kit.db.conditions import compare_conditions
from app.kit.db.enum_types import native_enum
from app.kit.db.migration_steps import default_sql

__all__ = ["COMPARISONS", "compare_conditions", "compare_defaults"]

# For `autogenerate_plugins` in migrations/env.py.
COMPARISONS = [
    "alembic.autogenerate.*",
    # CHECK constraints too, by their names.
    "alembic.ext.checkconstraint_byname",
    __name__,
    names.__name__,
    conditions.__name__,
    migration_order.__name__,
    enum_drift.__name__,
    schema_drift.__name__,
]

_WHOLE_CAST = re.compile(r"^CAST\((.*) AS [^()]+\)$", re.IGNORECASE | re.DOTALL)
_LITERAL = re.compile(r"('(?:[^']|'')*')")
# Casts as in 'a'::kind, with which PostgreSQL words a default, and white space.
_NOISE = re.compile(r"::(?:\"[^\"]+\"|[\w. ])+(?:\[\])*|\s+")


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
    text = _WHOLE_CAST.sub(r"\1", default_sql(column.server_default) or "")
    parts = _LITERAL.split(text)
    return "".join(part if part.startswith("'") else _NOISE.sub("", part.lower()) for part in parts)


Plugin(__name__).add_autogenerate_comparator(
    compare_defaults, "column", "server_default", priority=DispatchPriority.FIRST
)
