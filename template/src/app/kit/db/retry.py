"""Retry transactions that failed with a serialization error or a deadlock.

A new attempt succeeds, but only as a whole, from its first read on. The same holds for a statement
that was prepared before a migration changed the schema.
"""

from asyncio import sleep
from collections.abc import Awaitable, Callable
from random import SystemRandom
from typing import TypeVar

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from app.kit.db.conflicts import driver_error, is_stale
from app.kit.db.session import Database, DatabaseDep

# Endpoints import `DatabaseDep` from here too.
__all__ = ["DatabaseDep", "pause", "retrying"]

T = TypeVar("T")

ATTEMPTS = 4
LOST_A_RACE = frozenset({"40001", "40P01"})
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0
_random = SystemRandom()
_log = structlog.get_logger(__name__)


async def retrying(database: Database, work: Callable[[AsyncSession], Awaitable[T]]) -> T:
    """Do work in its own transaction; retry serialization errors, deadlocks and stale statements.

    There are at most `ATTEMPTS` attempts.

    It returns once the transaction is committed. The work does nothing but use its session:
    a message that it sends would be sent again.
    """
    for attempt in range(1, ATTEMPTS):
        try:
            return await _once(database, work)
        except DBAPIError as error:
            code = getattr(driver_error(error), "sqlstate", None)
            if code not in LOST_A_RACE and not is_stale(error):
                raise
            database.counts.retries += 1
            _log.info("transaction is retried", attempt=attempt, sqlstate=code)
        await sleep(pause(attempt))
    return await _once(database, work)


def pause(attempt: int) -> float:
    """Seconds to wait after an attempt: more after each, and random, or the same two meet again."""
    return _random.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2**attempt))


async def _once(database: Database, work: Callable[[AsyncSession], Awaitable[T]]) -> T:
    async with database.transaction() as session:
        return await work(session)
