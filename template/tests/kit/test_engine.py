"""The engine, as the server sees it."""

from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.about import NAME
from app.kit.db.session import Database
from app.main import create_app
from app.settings import Settings
from tests.rig.app import client_of, running
from tests.rig.database import settings_for


def settings_with(url: URL, **database: object) -> Settings:
    """The settings of this database, changed in some of the group's fields."""
    settings = settings_for(url)
    changed = settings.database.model_copy(update=database)
    return settings.model_copy(update={"database": changed})


async def test_the_service_is_known_by_name_to_the_server(connection: AsyncConnection) -> None:
    name = await connection.scalar(text("SHOW application_name"))
    assert name == NAME


async def test_the_limits_of_the_settings_hold_on_the_server(direct_url: URL) -> None:
    settings = settings_with(
        direct_url,
        pooler="none",
        application_name="reports",
        statement_timeout=1.5,
        lock_timeout=0.25,
        idle_in_transaction_timeout=7,
        jit=True,
    )
    database = Database.open(settings.database, NAME)
    for engine in (database.engine, database.reading_engine):
        async with engine.connect() as connection:
            assert await connection.scalar(text("SHOW statement_timeout")) == "1500ms"
            assert await connection.scalar(text("SHOW lock_timeout")) == "250ms"
            idle = text("SHOW idle_in_transaction_session_timeout")
            assert await connection.scalar(idle) == "7s"
            assert await connection.scalar(text("SHOW jit")) == "on"
            mine = "SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()"
            assert await connection.scalar(text(mine)) == "reports"
    await database.close()


async def test_no_plan_is_compiled_unless_the_settings_say_so(direct_url: URL) -> None:
    settings = settings_with(direct_url, pooler="none")
    database = Database.open(settings.database, NAME)
    async with database.engine.connect() as connection:
        assert await connection.scalar(text("SHOW jit")) == "off"
    await database.close()


async def test_a_busy_pool_is_a_503_that_says_when_to_come_back(direct_url: URL) -> None:
    settings = settings_with(
        direct_url, pooler="none", pool_size=1, max_overflow=0, pool_timeout=0.05
    )
    async with running(create_app(settings)) as app, client_of(app) as client:
        async with app.state.database.engine.connect():
            response = await client.get("/health/ready")
        assert response.status_code == 503
        assert response.headers["Retry-After"] == "1"
        assert (await client.get("/health/ready")).status_code == 200


async def test_a_server_that_hung_up_is_noticed_before_the_request_is(
    own_app: FastAPI, committing_client: AsyncClient
) -> None:
    async with own_app.state.database.engine.connect() as connection:
        await connection.execute(text("SELECT 1"))
    async with own_app.state.database.engine.connect() as connection:
        # End every other session of this database, as a restart would.
        await connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    assert (await committing_client.get("/health/ready")).status_code == 200


async def test_a_database_that_is_away_is_a_503_and_the_process_lives(
    own_database_url: URL,
) -> None:
    nobody_listens = own_database_url.set(host="127.0.0.1", port=1, query={})
    for url in (nobody_listens, own_database_url.set(database="missing_test")):
        async with running(create_app(settings_for(url))) as app, client_of(app) as client:
            response = await client.get("/health/ready")
            assert response.status_code == 503
            assert response.headers["content-type"] == "application/problem+json"
            assert (await client.get("/health/live")).status_code == 200
