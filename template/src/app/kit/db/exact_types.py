"""Column types that reject a value of which the driver would store only a part."""

from collections.abc import Callable
from datetime import time
from typing import Any

import asyncpg
from sqlalchemy import Dialect, Time
from sqlalchemy.dialects.postgresql import CIDR, INET

Convert = Callable[[Any], Any]


class ExactTime(Time):
    """A time that has an offset if and only if its column has.

    The driver would leave out the offset of a value for a column without one.
    """

    render_bind_cast = True

    def bind_processor(self, dialect: Dialect) -> Convert | None:
        """Return the check of a value."""
        return None if self.timezone else _without_offset


class ExactInet(INET):
    """An address without a scope id, which PostgreSQL cannot store: the driver leaves it out."""

    def bind_processor(self, dialect: Dialect) -> Convert | None:
        """Return the check of a value."""
        return _without_scope


class ExactCidr(CIDR):
    """A network without a scope id."""

    def bind_processor(self, dialect: Dialect) -> Convert | None:
        """Return the check of a value."""
        return _without_scope


def _without_offset(value: time | None) -> time | None:
    if value is not None and value.tzinfo is not None:
        raise asyncpg.DataError("a column of type time stores no offset")
    return value


def _without_scope(value: Any) -> Any:
    if "%" in str(value):
        raise asyncpg.DataError("an IP address is stored without a scope id")
    return value
