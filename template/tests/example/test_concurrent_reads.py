"""Concurrent reads, each with its own session."""

from asyncio import Barrier, gather, sleep, timeout, wait_for

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy import URL, text
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncSession

from app.about import NAME
from app.kit.db.concurrent import concurrent_reads
from app.kit.db.session import Database
from app.kit.errors import NotFound
from app.main import create_app
from tests.example.order_factories import open_shop
from tests.rig.app import client_of, running
from tests.rig.database import clone, settings_for, settings_with
from tests.rig.statements import counting

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
        raise NotFound("Not here.")

    async def read_both() -> None:
        async with concurrent_reads(own_app.state.database) as reads:
            reads.start(wait)
            reads.start(fail)

    with pytest.raises(NotFound, match="Not here"):
        await wait_for(read_both(), timeout=10)
    assert ended == [True]


async def test_orders_overview_runs_several_counts(
    own_app: FastAPI, committing_client: AsyncClient
) -> None:
    empty = (await committing_client.get("/orders/overview")).json()
    assert empty == {
        "orders": {"placed": 0, "dispatched": 0, "cancelled": 0},
        "revenue_cents": 0,
        "best_sellers": [],
    }
    shop = await open_shop(own_app, 10_000, 10_000, price_cents=1_000_000_000)
    large, small = shop.order(10_000), shop.order(0, 1)
    small["lines"] = small["lines"][1:]
    for body in (large, small, small):
        placed = await committing_client.post("/orders", json=body)
    await committing_client.post(f"/orders/{placed.json()['id']}/cancel")
    full = (await committing_client.get("/orders/overview")).json()
    assert full == {
        "orders": {"placed": 2, "dispatched": 0, "cancelled": 1},
        # Exceeds 32 bits.
        "revenue_cents": 10_001 * 1_000_000_000,
        "best_sellers": [
            {"sku": shop.products[0].sku, "quantity": 10_000},
            {"sku": shop.products[1].sku, "quantity": 1},
        ],
    }


async def test_orders_overview_reads_replica_unless_no_cache(
    own_database_url: URL, template: URL
) -> None:
    with clone(template) as replica:
        second = settings_with(replica).database.url
        replicated = create_app(settings_with(own_database_url, replica_url=second))
        async with running(replicated), client_of(replicated) as client:
            shop = await open_shop(replicated, 10)
            assert (await client.post("/orders", json=shop.order(1))).status_code == 201
            with counting(shop.database.engine) as statements:
                from_replica = (await client.get("/orders/overview")).json()
            fresh = await client.get("/orders/overview", headers={"Cache-Control": "no-cache"})
    statements.assert_count(0)
    assert from_replica["orders"]["placed"] == 0
    assert fresh.json()["orders"]["placed"] == 1
