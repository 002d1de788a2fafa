"""Reads at the same time: each over a session of its own, and not too many."""

from asyncio import Barrier, gather, sleep, timeout, wait_for

import pytest
from fastapi import FastAPI
from sqlalchemy import URL, text
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncSession

from app.about import NAME
from app.kit.db.concurrent import concurrent_reads
from app.kit.db.session import Database
from app.kit.errors import NotFound
from tests.rig.database import settings_for

WHO = text("SELECT pg_backend_pid() FROM pg_sleep(0.01)")


async def test_a_session_that_tasks_share_raises(own_database_url: URL) -> None:
    database = Database.open(settings_for(own_database_url).database, NAME)
    # With a connection at hand it might pass by luck; on a pool that is still empty it cannot.
    async with database.sessions() as session:
        outcomes = await gather(session.execute(WHO), session.execute(WHO), return_exceptions=True)
    await database.close()
    (error,) = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert isinstance(error, InvalidRequestError)
    assert "concurrent operations are not permitted" in str(error)


async def test_reads_go_on_at_the_same_time_each_over_its_own_connection(own_app: FastAPI) -> None:
    everybody = Barrier(3)

    async def read(session: AsyncSession) -> int:
        # Nobody passes before all three are here, and nobody leaves before all three have read.
        await everybody.wait()
        found = await session.scalar(WHO) or 0
        await everybody.wait()
        return found

    async with timeout(5), concurrent_reads(own_app.state.database) as reads:
        tasks = [reads.start(read) for _ in range(3)]
    assert len({task.result() for task in tasks}) == 3


async def test_no_more_of_them_than_are_allowed(own_app: FastAPI) -> None:
    under_way: list[int] = []
    most = 0

    async def read(session: AsyncSession) -> None:
        nonlocal most
        under_way.append(1)
        most = max(most, len(under_way))
        await session.execute(WHO)
        under_way.pop()

    async with concurrent_reads(own_app.state.database, at_once=2) as reads:
        for _ in range(8):
            reads.start(read)
    assert most == 2


async def test_the_first_that_fails_ends_the_others_and_is_the_error(own_app: FastAPI) -> None:
    ended: list[bool] = []

    async def wait(session: AsyncSession) -> None:
        try:
            await session.execute(text("SELECT pg_sleep(60)"))
        finally:
            ended.append(True)

    async def fail(_session: AsyncSession) -> None:
        await sleep(0.1)
        raise NotFound("Not here.")

    async def read_both() -> None:
        async with concurrent_reads(own_app.state.database) as reads:
            reads.start(wait)
            reads.start(fail)

    with pytest.raises(NotFound, match="Not here"):
        await wait_for(read_both(), timeout=10)
    assert ended == [True]
