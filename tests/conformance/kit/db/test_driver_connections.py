"""Statements sent directly to the driver follow the settings of the pool."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import asyncpg
import pytest
from asyncpg.prepared_stmt import PreparedStatement
from sqlalchemy import URL, NullPool, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from app.kit.db.connections.asyncpg_driver import Rows
from app.kit.db.session import Database
from app.kit.errors.database_errors import problem_from_db_error
from app.kit.errors.problems import CommitOutcomeUnknown, Unavailable
from tests.support.database import settings_with

BACKENDS = """
    SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'kit short'
"""


@asynccontextmanager
async def database_with(url: URL, **pool: object) -> AsyncGenerator[Database]:
    """Open a database with these pool settings."""
    database = Database.open(settings_with(url, pooler="none", **pool).database, "kit short")
    yield database
    await database.close()


async def read_concurrently(database: Database, number: int) -> Sequence[Rows]:
    """Run this many reads concurrently, each on its own connection."""
    reads = (
        database.fetch("SELECT pg_backend_pid() FROM pg_sleep(0.05)", []) for _ in range(number)
    )
    return await asyncio.gather(*reads)


async def open_connections(url: URL, *, at_most: int) -> list[int]:
    """Return the open connections, after waiting for closed ones to disappear."""
    engine = create_async_engine(url, poolclass=NullPool)
    found: list[int] = []
    async with engine.connect() as connection:
        for _ in range(50):
            found = list(await connection.scalars(text(BACKENDS)))
            if len(found) <= at_most:
                break
            await connection.rollback()
            await asyncio.sleep(0.1)
        return found


@pytest.mark.parametrize(("size", "overflow", "kept"), [(1, 3, 1), (3, 1, 3), (4, 0, 4)])
async def test_overflow_connections_are_closed_after_use(
    unpooled_url: URL, size: int, overflow: int, kept: int
) -> None:
    async with database_with(unpooled_url, pool_size=size, max_overflow=overflow) as database:
        for _ in range(2):
            assert len({rows[0][0] for rows in await read_concurrently(database, 4)}) == 4
            assert len(await open_connections(unpooled_url, at_most=kept)) == kept


@pytest.mark.parametrize("pre_ping", [True, False])
async def test_healthy_connection_is_reused(unpooled_url: URL, *, pre_ping: bool) -> None:
    async with database_with(unpooled_url, pool_size=1, pool_pre_ping=pre_ping) as database:
        used = {(await read_concurrently(database, 1))[0][0][0] for _ in range(3)}
        assert used == {*await open_connections(unpooled_url, at_most=1)}


@pytest.mark.parametrize("is_open", [True, False])
@pytest.mark.parametrize("method", ["fetch", "fetch_committed", "session"])
async def test_driver_in_failed_state_is_a_503_and_connection_is_replaced(
    unpooled_url: URL, monkeypatch: pytest.MonkeyPatch, method: str, *, is_open: bool
) -> None:
    # Simulates a connection that breaks between two messages: the driver knows, the pool does not.
    async def fail(*_arguments: object, **_options: object) -> None:
        raise asyncpg.InternalClientError('cannot switch to state 11; it is in the "failed" state')

    async def backend(database: Database) -> int:
        if method == "session":
            async with database.reading() as session:
                return int(await session.scalar(text("SELECT pg_backend_pid()")) or 0)
        fetch = database.fetch if method == "fetch" else database.fetch_committed
        return int((await fetch("SELECT pg_backend_pid()", []))[0][0])

    async with database_with(unpooled_url, pool_size=1, max_overflow=0) as database:
        before = await backend(database) if is_open else 0
        with monkeypatch.context() as patched:
            patched.setattr(asyncpg.Connection, "fetch", fail)
            patched.setattr(PreparedStatement, "fetch", fail)
            with pytest.raises((DBAPIError, CommitOutcomeUnknown)) as caught:
                await backend(database)
        if isinstance(caught.value, DBAPIError):
            assert isinstance(problem_from_db_error(caught.value), Unavailable)
        assert await backend(database) != before
