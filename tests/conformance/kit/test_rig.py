"""The rig of the tests keeps its own promises."""

import asyncio
import gc
import socket
from contextlib import suppress

import asyncpg
import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.kit.db.session import Database, SessionDep
from tests.conformance.support.interruption import Interruption
from tests.rig.database import server
from tests.rig.statements import Statements, counting

CREATE = text("CREATE TABLE kit_rig (number int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED)")
INSERT = text("INSERT INTO kit_rig VALUES (1)")


@pytest.mark.parametrize("name", ["production", "app", "contest", "latest_app"])
def test_a_database_that_is_not_named_for_tests_is_refused(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://nobody@127.0.0.1:1/{name}")
    with pytest.raises(pytest.exit.Exception, match=name), server():
        pytest.fail("it was accepted")


@pytest.mark.parametrize("name", ["test", "app_test", "test-app", "app_tests_2", "testdb"])
def test_a_database_that_is_named_for_tests_is_taken(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://nobody@127.0.0.1:1/{name}")
    with server() as url:
        assert url.database == name


async def test_each_worker_has_a_clone_of_the_template(
    database: Database, database_url: URL, template: URL
) -> None:
    assert database_url.database != template.database
    async with database.reading() as session:
        assert await session.scalar(text("SELECT current_database()")) == database_url.database
        assert await session.scalar(text("SELECT to_regclass('alembic_version')")) is not None


async def test_what_a_test_commits_is_for_this_test_alone(
    session: AsyncSession, database: Database
) -> None:
    await session.execute(CREATE)
    await session.commit()
    async with database.transaction() as other:
        assert await other.scalar(text("SELECT to_regclass('kit_rig')")) is None


async def test_a_request_fails_where_its_commit_would(
    app: FastAPI, client: AsyncClient, session: AsyncSession
) -> None:
    await session.execute(CREATE)
    await session.commit()
    routes = len(app.router.routes)

    @app.post("/kit/rig")
    async def write(session: SessionDep) -> None:
        await session.execute(INSERT)

    try:
        # The constraint is deferred: no statement of the request fails.
        assert [(await client.post("/kit/rig")).status_code for _ in range(2)] == [200, 409]
    finally:
        del app.router.routes[routes:]
    assert await session.scalar(text("SELECT count(*) FROM kit_rig")) == 1


def test_a_wrong_count_of_statements_shows_them() -> None:
    statements = Statements(["SELECT 1", "SELECT 2"])
    statements.assert_count(2)
    with pytest.raises(AssertionError, match=r"expected 1 statements, there were 2:\s+1. SELECT 1"):
        statements.assert_count(1)


async def test_what_the_rig_adds_around_a_request_is_not_counted(
    client: AsyncClient, database: Database
) -> None:
    with counting(database.engine) as statements:
        await client.get("/nowhere")
    statements.assert_count(0)


async def test_a_connection_over_tcp_may_be_cancelled_while_it_is_made() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host, port = silent.getsockname()
        for wait in range(1, 4):
            connecting = asyncpg.connect(host=host, port=port)
            with suppress(asyncio.CancelledError):
                await asyncio.create_task(Interruption(connecting, at=wait).run())
        # What nobody looked at is reported when it is collected.
        gc.collect()
