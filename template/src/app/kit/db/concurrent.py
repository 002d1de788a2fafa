"""Several reads at the same time, each over a session of its own.

A session is one connection and does one thing after the other: tasks that share it raise, or do
not, as luck has it. Reads in several sessions are several moments: numbers that must add up belong
in one statement.
"""

from asyncio import Semaphore, Task, TaskGroup
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from app.kit.db.session import Database

T = TypeVar("T")


class Reads:
    """Reads under way."""

    def __init__(self, database: Database, group: TaskGroup, gate: Semaphore) -> None:
        self._database = database
        self._group = group
        self._gate = gate

    def start(self, read: Callable[[AsyncSession], Awaitable[T]]) -> Task[T]:
        """Begin a read as soon as there is room for it; its result is there after the block."""

        async def run() -> T:
            async with self._gate, self._database.reading() as session:
                return await read(session)

        return self._group.create_task(run())


@asynccontextmanager
async def concurrent_reads(database: Database, at_once: int = 3) -> AsyncGenerator[Reads]:
    """Wait for all reads that are started in the block; the first that fails cancels the others.

    Each takes a connection of the pool, `at_once` of them at most. Whoever holds one already must
    not wait for more: enough requests that do would hold all there are, and wait for ever.
    """
    try:
        async with TaskGroup() as group:
            yield Reads(database, group, Semaphore(at_once))
    except BaseExceptionGroup as failures:
        # One error has one answer; a group has none.
        raise failures.exceptions[0] from None
