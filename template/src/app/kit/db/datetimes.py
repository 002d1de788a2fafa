"""Datetimes and times of the database: with a UTC offset where the column has a time zone."""

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

    The driver would convert it in the time zone of the process, or leave the offset out. Statements
    of a session raise it as the `orig` of a StatementError.
    """


class AwareDateTime(DateTime):
    """The driver's side of `DateTime`, which rejects values that the column would change.

    The driver reads `infinity` and `-infinity` as the last and the first time of the calendar, and
    leaves out the offset.
    """

    render_bind_cast = True

    def bind_processor(self, dialect: Dialect) -> Callable[..., Any]:
        """Return the check of values that are sent."""
        return _with_offset if self.timezone else _without_offset

    def result_processor(
        self, dialect: Dialect, coltype: object
    ) -> Callable[..., datetime | None] | None:
        """Return the conversion of values that are read."""
        return _aware if self.timezone else None


class CheckedTime(Time):
    """The driver's side of `Time`, which rejects values that the column would change."""

    render_bind_cast = True

    def bind_processor(self, dialect: Dialect) -> Callable[..., Any]:
        """Return the check of values that are sent."""
        return _with_offset if self.timezone else _without_offset


class CheckedNull(NullType):
    """Parameters without a type, as in `text()`: PostgreSQL alone knows what they become."""

    def bind_processor(self, dialect: Dialect) -> Callable[..., Any]:
        """Return the check of values that are sent."""
        return _with_offset


def check_time_zones(dialect: Dialect) -> None:
    """Let a dialect raise `TimeZoneMismatch` for values that a column would change."""
    specs = dict(dialect.colspecs)
    for kind in (AbstractSingleRange, AbstractMultiRange):
        specs[kind] = _with_checked_bounds(specs[kind])
    specs |= {DateTime: AwareDateTime, Time: CheckedTime, NullType: CheckedNull}
    dialect.colspecs = specs


def _with_checked_bounds(driver_side: Any) -> Any:
    """Return the driver's side of ranges, with a check of their bounds."""

    def bind_processor(self: TypeEngine[Any], dialect: Dialect) -> Callable[[Any], Any]:
        convert = driver_side.bind_processor(self, dialect)
        if isinstance(self, TSTZRANGE | TSTZMULTIRANGE):
            return lambda value: convert(_check_bounds(value, _with_offset))
        return lambda value: convert(_check_bounds(value, _without_offset))

    return type(driver_side.__name__, (driver_side,), {"bind_processor": bind_processor})


def _check_bounds(value: Any, check: Callable[[Any], Any]) -> Any:
    for each in [value] if _is_range(value) else value or ():
        if _is_range(each):
            check(each.lower)
            check(each.upper)
    return value


def _is_range(value: Any) -> TypeGuard[Range[Any]]:
    return isinstance(value, Range)


def _with_offset(value: Any) -> Any:
    # First what most values are, as this runs for every one.
    if value is None or getattr(value, "tzinfo", None) is UTC:
        return value
    # A `time` of a named zone has no offset without a date.
    if isinstance(value, datetime | time) and value.utcoffset() is None:
        raise TimeZoneMismatch(
            f"A {type(value).__name__} without a UTC offset does not fit a value with a time zone."
        )
    return value


def _without_offset(value: Any) -> Any:
    if isinstance(value, datetime | time) and value.tzinfo is not None:
        raise TimeZoneMismatch(
            f"A {type(value).__name__} with a UTC offset does not fit a column without a time zone."
        )
    return value


def _aware(value: datetime | None) -> datetime | None:
    return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value
