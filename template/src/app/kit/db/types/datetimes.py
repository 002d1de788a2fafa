"""Reject datetimes and times whose UTC offset does not fit the column's time zone."""

from collections.abc import Callable
from datetime import UTC, datetime, time
from typing import Any, TypeGuard

import asyncpg
from sqlalchemy import DateTime, Dialect, Time
from sqlalchemy.dialects.postgresql import TSTZMULTIRANGE, TSTZRANGE, Range
from sqlalchemy.dialects.postgresql.ranges import AbstractMultiRange, AbstractSingleRange
from sqlalchemy.types import NullType, TypeEngine


class TimeZoneMismatch(asyncpg.DataError):
    """A value without a UTC offset for a column with a time zone, or the reverse.

    The driver would assume the time zone of the process, or drop the offset. A session raises a
    StatementError with this exception as `orig`.
    """


class AwareDateTime(DateTime):
    """The asyncpg implementation of `DateTime`, with a check of the UTC offset.

    asyncpg returns `infinity` and `-infinity` as `datetime.max` and `datetime.min`, without an
    offset. This type adds the offset to results.
    """

    render_bind_cast = True

    def bind_processor(self, dialect: Dialect) -> Callable[..., Any]:
        """Return the function that checks a parameter."""
        return _with_offset if self.timezone else _without_offset

    def result_processor(
        self, dialect: Dialect, coltype: object
    ) -> Callable[..., datetime | None] | None:
        """Return the function that converts a result value."""
        return _aware if self.timezone else None


class CheckedTime(Time):
    """The asyncpg implementation of `Time`, with a check of the UTC offset."""

    render_bind_cast = True

    def bind_processor(self, dialect: Dialect) -> Callable[..., Any]:
        """Return the function that checks a parameter."""
        return _with_offset if self.timezone else _without_offset


class CheckedNull(NullType):
    """Untyped parameters, as in `text()`. A datetime or time must have a UTC offset."""

    def bind_processor(self, dialect: Dialect) -> Callable[..., Any]:
        """Return the function that checks a parameter."""
        return _with_offset


def check_time_zones(dialect: Dialect) -> None:
    """Make a dialect raise `TimeZoneMismatch`, instead of converting values silently."""
    specs = dict(dialect.colspecs)
    for kind in (AbstractSingleRange, AbstractMultiRange):
        specs[kind] = _with_checked_bounds(specs[kind])
    specs |= {DateTime: AwareDateTime, Time: CheckedTime, NullType: CheckedNull}
    dialect.colspecs = specs


def _with_checked_bounds(range_type: Any) -> Any:
    """Return a subclass of a range type that checks the bounds of each range."""

    def bind_processor(self: TypeEngine[Any], dialect: Dialect) -> Callable[[Any], Any]:
        convert = range_type.bind_processor(self, dialect)
        if isinstance(self, TSTZRANGE | TSTZMULTIRANGE):
            return lambda value: convert(_check_bounds(value, _with_offset))
        return lambda value: convert(_check_bounds(value, _without_offset))

    return type(range_type.__name__, (range_type,), {"bind_processor": bind_processor})


def _check_bounds(value: Any, check: Callable[[Any], Any]) -> Any:
    for each in [value] if _is_range(value) else value or ():
        if _is_range(each):
            check(each.lower)
            check(each.upper)
    return value


def _is_range(value: Any) -> TypeGuard[Range[Any]]:
    return isinstance(value, Range)


def _with_offset(value: Any) -> Any:
    # Fast path for the most common values.
    if value is None or getattr(value, "tzinfo", None) is UTC:
        return value
    # A `time` in a named zone has no offset, because there is no date.
    if isinstance(value, datetime | time) and value.utcoffset() is None:
        raise TimeZoneMismatch(f"A {type(value).__name__} must have a UTC offset.")
    return value


def _without_offset(value: Any) -> Any:
    if isinstance(value, datetime | time) and value.tzinfo is not None:
        raise TimeZoneMismatch(
            f"A {type(value).__name__} must not have a UTC offset: its column has no time zone."
        )
    return value


def _aware(value: datetime | None) -> datetime | None:
    return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value
