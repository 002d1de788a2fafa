"""Failed and cancelled requests return their connections to the pool."""

import asyncio
import random

from fastapi import FastAPI
from httpx2 import AsyncClient
from pydantic import RootModel
from sqlalchemy import URL, QueuePool, func, select, text

from app.kit.db.session import Database
from app.kit.errors.problems import Conflict
from app.kit.http.dependencies import DatabaseDep, ReadSessionDep, SessionDep
from app.kit.http.streaming import JsonLines
from app.main import create_app
from tests.support.app import client_of, running
from tests.support.database import settings_with


class Number(RootModel[int]):
    """A row of the stream."""


KINDS = ["read", "write", "refuse", "break", "stream"]
CONCURRENCY = 20


def add_routes(app: FastAPI) -> None:
    @app.get("/kit/read")
    async def read(session: ReadSessionDep) -> None:
        await session.execute(text("SELECT pg_sleep(0.002)"))

    @app.get("/kit/write")
    async def write(session: SessionDep) -> None:
        await session.execute(text("INSERT INTO kit_leaks VALUES (1)"))
        await session.execute(text("SELECT pg_sleep(0.002)"))

    @app.get("/kit/refuse")
    async def refuse(session: SessionDep) -> None:
        await session.execute(text("INSERT INTO kit_leaks VALUES (1)"))
        raise Conflict("No.")

    @app.get("/kit/break")
    async def divide_by_zero(session: SessionDep) -> None:
        await session.execute(text("SELECT 1/0"))

    @app.get("/kit/http/streaming")
    async def stream(database: DatabaseDep) -> JsonLines:
        return JsonLines(database, select(func.generate_series(1, 300)), Number)


async def test_failed_and_cancelled_requests_leak_no_connection(
    unpooled_url: URL, full_scale: bool
) -> None:
    settings = settings_with(
        unpooled_url, pooler="none", pool_size=3, max_overflow=2, application_name="leaks"
    )
    app = create_app(settings)
    add_routes(app)
    async with running(app), client_of(app) as client:
        database: Database = app.state.database
        async with database.transaction() as session:
            await session.execute(text("CREATE TABLE kit_leaks (number int)"))

        await send_and_cancel(client, 10_000 if full_scale else 500)

        assert [pool.checkedout() for pool in pools(database)] == [0, 0]
        # The server notices a closed connection only some time later.
        async with asyncio.timeout(5):
            while await in_use(database) != (0, True):  # noqa: ASYNC110 - it sends no event
                await asyncio.sleep(0.02)
        assert (await client.get("/kit/write")).status_code == 200


async def in_use(database: Database) -> tuple[int, bool]:
    """Return the number of connections in a transaction, and whether the total is in bounds."""
    async with database.transaction() as session:
        seen = await session.execute(
            text(
                "SELECT count(*) FILTER (WHERE state ~ 'in transaction'), count(*) < 2 * 5 "
                "FROM pg_stat_activity "
                "WHERE application_name = 'leaks' AND pid <> pg_backend_pid()"
            )
        )
        in_transaction, in_bounds = seen.one()
    return in_transaction, in_bounds


def pools(database: Database) -> list[QueuePool]:
    """Return the pools for writes and reads."""
    found = [database.engine.pool, database.read_engine.pool]
    return [pool for pool in found if isinstance(pool, QueuePool)]


async def send_and_cancel(client: AsyncClient, requests: int) -> None:
    """Send requests of every kind, and cancel about half of them."""
    chance = random.Random(5)
    limiter = asyncio.Semaphore(CONCURRENCY)

    async def send(kind: str, seconds: float | None) -> None:
        async with limiter:
            try:
                async with asyncio.timeout(seconds):
                    await client.get(f"/kit/{kind}")
            except TimeoutError:
                return

    async with asyncio.TaskGroup() as tasks:
        for number in range(requests):
            seconds = chance.uniform(0, 0.04) if chance.random() < 0.5 else None
            tasks.create_task(send(KINDS[number % len(KINDS)], seconds))
