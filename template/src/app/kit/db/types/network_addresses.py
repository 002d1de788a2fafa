"""Column types that reject values which asyncpg would truncate."""

from collections.abc import Callable
from typing import Any

import asyncpg
from sqlalchemy import Dialect
from sqlalchemy.dialects.postgresql import CIDR, INET

Convert = Callable[..., Any]


class ExactInet(INET):
    """An IP address. Rejects a scope id, which PostgreSQL cannot store and asyncpg drops."""

    def bind_processor(self, dialect: Dialect) -> Convert | None:
        """Return the function that checks a parameter."""
        return _without_scope


class ExactCidr(CIDR):
    """An IP network. Rejects a scope id."""

    def bind_processor(self, dialect: Dialect) -> Convert | None:
        """Return the function that checks a parameter."""
        return _without_scope


def _without_scope(value: Any) -> Any:
    if "%" in str(value):
        raise asyncpg.DataError("an IP address must not have a scope id")
    return value
