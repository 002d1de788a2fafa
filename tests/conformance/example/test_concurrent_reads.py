"""Concurrent reads, each with its own session."""

from asyncio import Barrier, gather, sleep, timeout, wait_for

import pytest
from fastapi import FastAPI
from sqlalchemy import URL, text
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncSession

from app.about import NAME
from app.kit.db.session import Database
from app.kit.errors.problems import NotFound
from app.kit.queries.concurrent_reads import concurrent_reads
from tests.support.database import settings_for

BACKEND_PID = text("SELECT pg_backend_pid() FROM pg_sleep(0.01)")


async def test_sharing_a_session_between_tasks_raises(own_database_url: URL) -> None:
    database = Database.open(settings_for(own_database_url).database, NAME)
    # An open connection might hide the error, so the pool is still empty.
    async with database.sessions() as session:
        outcomes = await gather(
            session.execute(BACKEND_PID), session.execute(BACKEND_PID), return_exceptions=True
        )
    await database.close()
    (error,) = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert isinstance(error, InvalidRequestError)
    assert "concurrent operations are not permitted" in str(error)


async def test_concurrent_reads_use_separate_connections(own_app: FastAPI) -> None:
    barrier = Barrier(3)

    async def read(session: AsyncSession) -> int:
        # All three tasks must start before any reads, and read before any ends.
        await barrier.wait()
        found = await session.scalar(BACKEND_PID) or 0
        await barrier.wait()
        return found

    async with timeout(5), concurrent_reads(own_app.state.database) as reads:
        tasks = [reads.start(read) for _ in range(3)]
    assert len({task.result() for task in tasks}) == 3


async def test_concurrent_reads_are_limited(own_app: FastAPI) -> None:
    running_reads: list[int] = []
    highest = 0

    async def read(session: AsyncSession) -> None:
        nonlocal highest
        running_reads.append(1)
        highest = max(highest, len(running_reads))
        await session.execute(BACKEND_PID)
        running_reads.pop()

    async with concurrent_reads(own_app.state.database, at_once=2) as reads:
        for _ in range(8):
            reads.start(read)
    assert highest == 2


async def test_first_error_cancels_other_reads(own_app: FastAPI) -> None:
    ended: list[bool] = []

    async def wait(session: AsyncSession) -> None:
        try:
            await session.execute(text("SELECT pg_sleep(60)"))
        finally:
            ended.append(True)

    async def fail(_session: AsyncSession) -> None:
        await sleep(0.1)
        raise NotFound("Not here.") from ValueError("cause")

    async def read_both() -> None:
        async with concurrent_reads(own_app.state.database) as reads:
            reads.start(wait)
            reads.start(fail)

    with pytest.raises(NotFound, match="Not here") as caught:
        await wait_for(read_both(), timeout=10)
    assert ended == [True]
    assert isinstance(caught.value.__cause__, ValueError)
