"""Reject parameters that asyncpg would change silently, and report values that it cannot read."""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, time, timedelta
from traceback import walk_tb
from typing import Any, TypeGuard

import asyncpg
from sqlalchemy import DateTime, Dialect, Engine, ExceptionContext, Time, event
from sqlalchemy.dialects.postgresql import CIDR, INET, TSTZMULTIRANGE, TSTZRANGE, Range
from sqlalchemy.dialects.postgresql.ranges import AbstractMultiRange, AbstractSingleRange
from sqlalchemy.types import NullType, TypeEngine

from app.kit.errors.problems import Conflict

# PostgreSQL's ids of these types.
_DATE_TIME_TYPES = {
    *(1082, 1083, 1114, 1184, 1186, 1266),  # date, time, timestamp, timestamptz, interval, timetz
    *(1182, 1183, 1115, 1185, 1187, 1270),  # their arrays
    *(3908, 3910, 3912, 4533, 4534, 4535),  # their ranges and multiranges
}
# The source file of asyncpg's functions that decode dates and times.
_DECODERS = "datetime.pyx"
_DAYS_OF_YEAR, _DAYS_OF_MONTH = 365, 30  # the same as asyncpg

# A cast to a type with a length cuts off longer values. These types have any length.
_LENGTH = re.compile(r"::(VARCHAR|CHAR|BIT VARYING|BIT)\(\d+\)")
_WITHOUT_LENGTH = {"CHAR": "BPCHAR", "BIT": '"bit"'}

# Returns the value unchanged, or raises an exception.
Check = Callable[[Any], Any]


class TimeZoneMismatch(asyncpg.DataError):
    """A value without a UTC offset for a column with a time zone, or the reverse.

    The driver would assume the time zone of the process, or drop the offset. A session raises a
    StatementError with this exception as `orig`.
    """


class UnreadableValue(Conflict):
    """A row contains a date or time that Python cannot represent.

    For example, a date outside the years 1 to 9999, the time 24:00, or a long interval. Only SQL
    can store such a value; an API request cannot.
    """

    def __init__(self, columns: Iterable[str]) -> None:
        named = " or ".join(dict.fromkeys(columns)) or "a column"
        super().__init__(
            f"The value of {named} in a row is outside the years 1 to 9999, or is not a valid time "
            "of day. Correct the row in the database."
        )


def check_values(engine: Engine) -> None:
    """Check the values of an engine's statements.

    A parameter of the wrong kind raises a StatementError. A stored value that asyncpg cannot read
    raises UnreadableValue.
    """
    dialect = engine.dialect
    dialect.colspecs = {**dialect.colspecs, **_checked_types(dict(dialect.colspecs))}
    dialect.statement_compiler = _compiler(dialect.statement_compiler)
    event.listen(engine, "connect", _set_interval_codec)
    event.listen(engine, "handle_error", _report_unreadable)


# ---------------------------------------------------------------------------- parameters
def _compiler(base: Any) -> Any:
    """Return a compiler whose casts of parameters have no length, so that PostgreSQL checks it."""

    def render_bind_cast(self: Any, *arguments: Any) -> str:
        rendered = base.render_bind_cast(self, *arguments)
        return _LENGTH.sub(lambda cast: f"::{_WITHOUT_LENGTH.get(cast[1], cast[1])}", rendered)

    return type(base.__name__, (base,), {"render_bind_cast": render_bind_cast})


def _checked_types(implementations: dict[Any, Any]) -> dict[Any, Any]:
    def offset_check(column_type: Any) -> Check:
        return _require_offset if column_type.timezone else _reject_offset

    def bounds_check(column_type: TypeEngine[Any]) -> Check:
        has_zone = isinstance(column_type, TSTZRANGE | TSTZMULTIRANGE)
        check = _require_offset if has_zone else _reject_offset
        return lambda value: _check_bounds(value, check)

    return {
        DateTime: _checked(
            implementations[DateTime], offset_check, result_processor=_result_processor
        ),
        Time: _checked(implementations[Time], offset_check),
        # Untyped parameters, as in `text()`.
        NullType: _checked(NullType, lambda _: _require_offset),
        AbstractSingleRange: _checked(implementations[AbstractSingleRange], bounds_check),
        AbstractMultiRange: _checked(implementations[AbstractMultiRange], bounds_check),
        INET: _checked(INET, lambda _: _reject_scope_id),
        CIDR: _checked(CIDR, lambda _: _reject_scope_id),
    }


def _checked(implementation: Any, check_for: Callable[[Any], Check], **methods: Any) -> Any:
    """Return a subclass of a type's implementation that checks each parameter."""

    def bind_processor(self: TypeEngine[Any], dialect: Dialect) -> Check:
        check, convert = check_for(self), implementation.bind_processor(self, dialect)
        return (lambda value: convert(check(value))) if convert else check

    methods["bind_processor"] = bind_processor
    return type(implementation.__name__, (implementation,), methods)


def _require_offset(value: Any) -> Any:
    # Fast path for the most common values.
    if value is None or getattr(value, "tzinfo", None) is UTC:
        return value
    # A `time` in a named zone has no offset, because there is no date.
    if isinstance(value, datetime | time) and value.utcoffset() is None:
        raise TimeZoneMismatch(f"A {type(value).__name__} must have a UTC offset.")
    return value


def _reject_offset(value: Any) -> Any:
    if isinstance(value, datetime | time) and value.tzinfo is not None:
        raise TimeZoneMismatch(
            f"A {type(value).__name__} must not have a UTC offset: its column has no time zone."
        )
    return value


def _is_range(value: Any) -> TypeGuard[Range[Any]]:
    return isinstance(value, Range)


def _check_bounds(value: Any, check: Check) -> Any:
    # A multirange is a list of ranges.
    for each in [value] if _is_range(value) else (value or ()):
        if _is_range(each):
            check(each.lower)
            check(each.upper)
    return value


def _reject_scope_id(value: Any) -> Any:
    # PostgreSQL cannot store a scope id, and asyncpg drops it.
    if "%" in str(value):
        raise asyncpg.DataError("an IP address must not have a scope id")
    return value


# ---------------------------------------------------------------------------- results
def _result_processor(
    self: DateTime, _dialect: Dialect, _coltype: object
) -> Callable[[datetime | None], datetime | None] | None:
    return _add_offset if self.timezone else None


def _add_offset(value: datetime | None) -> datetime | None:
    # asyncpg returns `infinity` and `-infinity` as `datetime.max` and `datetime.min`.
    return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


def _set_interval_codec(connection: Any, _record: Any) -> None:
    # asyncpg's decoder counts days in 32 bits: it overflows for intervals over 9 million years.
    async def set_codec(driver: Any) -> None:
        await driver.set_type_codec(
            "interval",
            schema="pg_catalog",
            encoder=_write_interval,
            decoder=_read_interval,
            format="tuple",
        )

    connection.run_async(set_codec)


def _write_interval(value: timedelta) -> tuple[int, int, int]:
    return 0, value.days, value.seconds * 10**6 + value.microseconds


def _read_interval(value: tuple[int, int, int]) -> timedelta:
    months, days, microseconds = value
    years = int(months / 12)
    days += years * _DAYS_OF_YEAR + (months - years * 12) * _DAYS_OF_MONTH
    return timedelta(days=days, microseconds=microseconds)


def is_unreadable(error: BaseException) -> bool:
    """Return whether a date or time could not be decoded."""
    # asyncpg raises a plain ValueError or OverflowError. Only the traceback shows its origin.
    functions = [frame.f_code for frame, _ in walk_tb(error.__traceback__)]
    return isinstance(error, ValueError | OverflowError) and any(
        code is _read_interval.__code__ or code.co_filename.endswith(_DECODERS)
        for code in functions
    )


def unreadable_value(columns: Iterable[tuple[str, int]]) -> UnreadableValue:
    """Return the error for a row. It lists the dates and times of its columns (name, type id)."""
    return UnreadableValue(name for name, oid in columns if oid in _DATE_TIME_TYPES)


def _report_unreadable(context: ExceptionContext) -> Exception | None:
    if not is_unreadable(context.original_exception):
        return None
    execution: Any = context.execution_context
    described = execution.cursor.description if execution else None
    return unreadable_value((name, oid) for name, oid, *_ in described or ())
