"""Stored values that Python cannot represent: dates outside the years 1 to 9999, the time 24:00.

asyncpg fails to decode these values. (It decodes `infinity` as the last date of the calendar.) They
are rare, because no API request can contain them, only SQL.
"""

import re
from collections.abc import Iterable
from types import TracebackType
from typing import Any

from sqlalchemy import ExceptionContext

from app.kit.db.types.intervals import IntervalOutOfRange
from app.kit.errors.problems import Conflict
from app.kit.queries.compiled.json_sql import SETTING, setting_for

# `setting_for` is re-exported for existing imports.
__all__ = [
    "UnreadableValue",
    "column_reported",
    "is_unreadable",
    "report_unreadable",
    "setting_for",
    "unreadable_value",
]

# date, time, timestamp, timestamptz, interval and timetz; their arrays, ranges and multiranges.
_SCALARS_AND_ARRAYS = {1082, 1083, 1114, 1184, 1186, 1266, 1182, 1183, 1115, 1185, 1187, 1270}
_OIDS = _SCALARS_AND_ARRAYS | {3908, 3910, 3912, 4533, 4534, 4535}
_DECODERS = "datetime.pyx"
_UNKNOWN_SETTING, _NAMED = "42704", re.compile(rf'"{re.escape(SETTING)}(.*)"')


class UnreadableValue(Conflict):
    """A row contains a date or time that Python cannot represent."""

    def __init__(self, columns: Iterable[str]) -> None:
        named = " or ".join(dict.fromkeys(columns)) or "a column"
        super().__init__(
            f"The value of {named} in a row is outside the years 1 to 9999, or is not a valid time "
            "of day. Correct the row in the database."
        )


def is_unreadable(error: BaseException) -> bool:
    """Return whether asyncpg failed to decode a date or time."""
    if isinstance(error, IntervalOutOfRange):
        return True
    if not isinstance(error, ValueError | OverflowError):
        return False
    trace: TracebackType | None = error.__traceback__
    names: set[str] = set()
    while trace is not None:
        names.add(trace.tb_frame.f_code.co_filename.replace("\\", "/").rpartition("/")[2])
        trace = trace.tb_next
    return _DECODERS in names


def unreadable_value(columns: Iterable[tuple[str, int]]) -> UnreadableValue:
    """Return the error for a row with these columns. It names those with a date or time."""
    return UnreadableValue(name for name, oid in columns if oid in _OIDS)


def report_unreadable(context: ExceptionContext) -> Exception | None:
    """Replace asyncpg's exception (`handle_error` of an engine)."""
    if not is_unreadable(context.original_exception):
        return None
    execution: Any = context.execution_context
    described = execution.cursor.description if execution else None
    return unreadable_value((name, oid) for name, oid, *_ in described or ())


def column_reported(error: Any) -> str | None:
    """Return the column of an error that `setting_for` caused, or None for other errors."""
    if getattr(error, "sqlstate", None) != _UNKNOWN_SETTING:
        return None
    found = _NAMED.search(str(error))
    return found[1] if found else None
