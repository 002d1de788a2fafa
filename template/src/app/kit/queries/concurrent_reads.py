"""Concurrent reads, one session each.

Concurrent tasks must not share a session: it has one connection, which runs one statement at a
time. Separate sessions have separate snapshots. If numbers must be consistent with each other, read
them in one statement.
"""

from asyncio import Semaphore, Task, TaskGroup
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from app.kit.db.session import Database

T = TypeVar("T")


class ConcurrentReads:
    """Starts reads that run concurrently."""

    def __init__(self, database: Database, group: TaskGroup, limit: Semaphore) -> None:
        self._database = database
        self._group = group
        self._limit = limit

    def start(self, read: Callable[[AsyncSession], Awaitable[T]]) -> Task[T]:
        """Start a read, or queue it if the limit of concurrent reads is reached.

        Use the result of the returned task after the `concurrent_reads` block.
        """

        async def run() -> T:
            async with self._limit, self._database.reading() as session:
                return await read(session)

        return self._group.create_task(run())


@asynccontextmanager
async def concurrent_reads(database: Database, at_once: int = 3) -> AsyncGenerator[ConcurrentReads]:
    """Wait at the end of the block for all reads that it started. The first failure cancels all.

    The reads use at most `at_once` connections of the pool. Do not use this while a session of the
    same request has a connection: concurrent requests could exhaust the pool and deadlock.
    """
    try:
        async with TaskGroup() as group:
            yield ConcurrentReads(database, group, Semaphore(at_once))
    except BaseExceptionGroup as failures:
        # Exception handlers expect a single exception, not a group.
        raise failures.exceptions[0] from failures.exceptions[0].__cause__
