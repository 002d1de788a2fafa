"""PostgreSQL rejects writes in read-only sessions."""

from asyncio import sleep
from collections.abc import AsyncGenerator

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy import URL, TextClause, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from app.about import NAME
from app.kit.db.session import Database
from app.kit.http.dependencies import ReadSessionDep
from tests.support.database import settings_with
from tests.support.statements import counting_round_trips

CREATE = text("CREATE TABLE kit_notes (number int PRIMARY KEY)")
INSERT = text("INSERT INTO kit_notes VALUES (1)")
COUNT = text("SELECT count(*) FROM kit_notes")


@pytest.fixture(params=["none", "pgbouncer"])
async def opened_database(
    unpooled_url: URL, request: pytest.FixtureRequest
) -> AsyncGenerator[Database]:
    """A database with a table, with and without PgBouncer mode."""
    settings = settings_with(unpooled_url, pooler=request.param, pool_pre_ping=False)
    database = Database.open(settings.database, NAME)
    async with database.transaction() as session:
        await session.execute(CREATE)
    yield database
    await database.close()


@pytest.mark.parametrize("engine", ["read_engine", "primary_read_engine"])
@pytest.mark.parametrize("write", [INSERT, text("SELECT number FROM kit_notes FOR UPDATE")])
async def test_server_rejects_write_in_read_session(
    opened_database: Database, write: TextClause, engine: str
) -> None:
    with pytest.raises(DBAPIError, match="read-only transaction"):
        async with opened_database.sessions(bind=getattr(opened_database, engine)) as session:
            await session.execute(write)
    async with opened_database.reading() as session:
        assert await session.scalar(COUNT) == 0


async def test_single_read_is_one_round_trip(unpooled_url: URL) -> None:
    settings = settings_with(unpooled_url, pooler="none", pool_pre_ping=False)
    database = Database.open(settings.database, NAME)
    async with database.reading(), database.transaction():
        pass
    with counting_round_trips(database.read_engine) as sent:
        async with database.reading() as session:
            await session.execute(text("SELECT 1"))
    assert sent == ["SELECT 1"]
    with counting_round_trips(database.engine) as sent:
        async with database.transaction() as session:
            await session.execute(text("SELECT 1"))
    await sleep(0)
    assert sorted(sent) == ["BEGIN;", "COMMIT;", "SELECT 1"]
    await database.close()


async def test_without_replica_a_read_sees_committed_writes(
    own_app: FastAPI, committing_client: AsyncClient
) -> None:
    database: Database = own_app.state.database
    async with database.transaction() as session:
        await session.execute(CREATE)
        await session.execute(INSERT)
    async with database.reading() as session:
        assert await session.scalar(COUNT) == 1


async def test_read_session_cannot_write_in_tests_either(
    app: FastAPI, client: AsyncClient, session: AsyncSession
) -> None:
    await session.execute(CREATE)
    await session.commit()
    routes = len(app.router.routes)

    @app.get("/kit/write-in-a-read")
    async def write(session: ReadSessionDep) -> None:
        await session.execute(INSERT)

    @app.get("/kit/count-in-a-read")
    async def count(session: ReadSessionDep) -> int | None:
        found: int | None = await session.scalar(COUNT)
        return found

    try:
        assert (await client.get("/kit/write-in-a-read")).status_code == 500
        await session.execute(INSERT)
        await session.commit()
        assert (await client.get("/kit/count-in-a-read")).json() == 1
    finally:
        del app.router.routes[routes:]
