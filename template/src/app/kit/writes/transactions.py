"""Retries of whole transactions, and savepoints that roll back a part of one."""

from asyncio import sleep
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from random import SystemRandom
from typing import TypeVar

import structlog
from sqlalchemy.exc import DBAPIError, StatementError
from sqlalchemy.ext.asyncio import AsyncSession

from app.kit.db.session import Database
from app.kit.errors.database_errors import is_stale, problem_from_db_error, sqlstate
from app.kit.errors.problems import Unavailable

T = TypeVar("T")

ATTEMPTS = 4
RETRYABLE_SQLSTATES = frozenset({"40001", "40P01"})
MIN_BACKOFF, MAX_BACKOFF = 0.05, 1.0
_random = SystemRandom()
_log = structlog.get_logger(__name__)


async def run_with_retry(database: Database, work: Callable[[AsyncSession], Awaitable[T]]) -> T:
    """Run `work` in a transaction, with up to `ATTEMPTS` attempts. Return its result after commit.

    A serialization error, a deadlock or a stale statement leads to a retry. A statement is stale if
    a migration changed the schema after it was prepared.

    `work` must have no side effects outside its session, because a retry repeats them.
    """
    attempt = 1
    while True:
        try:
            async with database.transaction() as session:
                return await work(session)
        except DBAPIError as error:
            code = sqlstate(error)
            is_retryable = code in RETRYABLE_SQLSTATES or is_stale(error)
            if attempt == ATTEMPTS or not is_retryable:
                raise
            database.counts.retries += 1
            _log.info("transaction retried", attempt=attempt, sqlstate=code)
        await sleep(backoff(attempt))
        attempt += 1


def backoff(attempt: int) -> float:
    """Return the seconds to wait after an attempt: exponential backoff with full jitter."""
    return _random.uniform(0, min(MAX_BACKOFF, MIN_BACKOFF * 2**attempt))


@asynccontextmanager
async def savepoint(session: AsyncSession) -> AsyncGenerator[None]:
    """Roll back only the block if it fails, and raise a database error as a `Problem`.

    After a failure, objects that the block added are removed from the session. Refresh objects that
    the block changed before you use them.
    """
    try:
        async with session.begin_nested():
            yield
    except StatementError as error:
        problem = problem_from_db_error(error)
        # Unavailable, such as a deadlock or a dropped connection, ends the whole transaction.
        if problem is None or isinstance(problem, Unavailable):
            raise
        raise problem from error
