"""The engine as the server and the clients see it."""

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.about import NAME
from app.kit.db.engine import build_probe_engine
from app.kit.db.session import Database
from app.kit.http.dependencies import SessionDep
from app.main import create_app
from tests.support.app import client_of, running
from tests.support.database import settings_for, settings_with


async def test_application_name_is_set(connection: AsyncConnection) -> None:
    name = await connection.scalar(text("SHOW application_name"))
    assert name == NAME


async def test_failed_startup_closes_connections(
    unpooled_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(database: Database, _settings: object) -> None:
        async with database.reading() as session:
            await session.execute(text("SELECT 1"))
        raise RuntimeError

    monkeypatch.setattr("app.main.log_server_warnings", fail)
    app = create_app(settings_with(unpooled_url, pooler="none"))
    with pytest.raises(RuntimeError):
        async with running(app):
            raise AssertionError
    assert app.state.database.read_engine.pool.checkedin() == 0


async def test_closed_connection_is_replaced_before_a_request(
    own_app: FastAPI, committing_client: AsyncClient
) -> None:
    @own_app.get("/kit/one")
    async def one(session: SessionDep) -> int | None:
        found: int | None = await session.scalar(text("SELECT 1"))
        return found

    async with own_app.state.database.engine.connect() as connection:
        await connection.execute(text("SELECT 1"))
    async with own_app.state.database.engine.connect() as connection:
        # Terminate every other session of this database, as a restart would.
        await connection.execute(
            text(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    assert (await committing_client.get("/kit/one")).status_code == 200


async def test_unreachable_database_is_a_503_and_process_stays_alive(
    own_database_url: URL,
) -> None:
    unused_port = own_database_url.set(host="127.0.0.1", port=1, query={})
    for url in (unused_port, own_database_url.set(database="missing_test")):
        async with running(create_app(settings_for(url))) as app, client_of(app) as client:
            response = await client.get("/health/ready")
            assert response.status_code == 503
            assert response.headers["content-type"] == "application/problem+json"
            assert (await client.get("/health/live")).status_code == 200


async def test_probe_keeps_one_pooler_connection(
    own_database_url: URL,
) -> None:
    settings = settings_with(own_database_url, pooler="pgbouncer").database
    engine = build_probe_engine(settings, "kit")
    async with engine.connect() as connection:
        # now() is constant within a transaction.
        times = [await connection.scalar(text("SELECT now()")) for _ in range(2)]
    await engine.dispose()
    assert times[0] == times[1]
