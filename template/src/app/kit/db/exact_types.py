"""Column types that reject a value of which the driver would store only a part."""

from collections.abc import Callable
from typing import Any

import asyncpg
from sqlalchemy import Dialect
from sqlalchemy.dialects.postgresql import CIDR, INET

Convert = Callable[..., Any]


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


def _without_scope(value: Any) -> Any:
    if "%" in str(value):
        raise asyncpg.DataError("an IP address is stored without a scope id")
    return value
