"""Detect PostgreSQL intervals that are too long for a `timedelta`."""

from datetime import timedelta
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

_DAYS_OF_YEAR, _DAYS_OF_MONTH = 365, 30  # the same as asyncpg


class IntervalOutOfRange(OverflowError):
    """A stored interval is too long for a `timedelta`."""


def check_intervals(engine: Engine) -> None:
    """Raise `IntervalOutOfRange` for intervals that asyncpg would decode to a wrong value.

    asyncpg counts days in 32 bits, which overflows from 9 million years on.
    """
    event.listen(engine, "connect", _set_codec)


def _set_codec(connection: Any, _record: Any) -> None:
    async def set_codec(driver: Any) -> None:
        await driver.set_type_codec(
            "interval", schema="pg_catalog", encoder=_encode, decoder=_decode, format="tuple"
        )

    connection.run_async(set_codec)


def _encode(value: timedelta) -> tuple[int, int, int]:
    return 0, value.days, value.seconds * 1_000_000 + value.microseconds


def _decode(value: tuple[int, int, int]) -> timedelta:
    months, days, microseconds = value
    years, months = int(months / 12), months - int(months / 12) * 12
    days += years * _DAYS_OF_YEAR + months * _DAYS_OF_MONTH
    try:
        return timedelta(days=days, microseconds=microseconds)
    except OverflowError as error:
        raise IntervalOutOfRange(str(error)) from error
