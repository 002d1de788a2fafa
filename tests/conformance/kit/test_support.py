"""The test harness itself."""

import asyncio
import gc
import socket
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.kit.db.session import Database
from app.kit.http.dependencies import SessionDep
from tests.conformance.support.cancellation import CancelAtAwait
from tests.support.database import server, settings_for
from tests.support.statements import Statements, counting

CREATE = text("CREATE TABLE kit_rig (number int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED)")
INSERT = text("INSERT INTO kit_rig VALUES (1)")


@pytest.mark.parametrize("name", ["production", "app", "contest", "latest_app"])
def test_database_without_test_in_its_name_is_rejected(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://nobody@127.0.0.1:1/{name}")
    with pytest.raises(pytest.exit.Exception, match=name), server():
        pytest.fail("it was accepted")


@pytest.mark.parametrize("name", ["test", "app_test", "test-app", "app_tests_2", "testdb"])
def test_database_with_test_in_its_name_is_accepted(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://nobody@127.0.0.1:1/{name}")
    with server() as url:
        assert url.database == name


def test_tests_ignore_env_file_and_other_databases(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_url: URL
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(".env").write_text("HTTP_HOSTS=api.example\nDOCS=false\nLOG_LEVEL=invalid\n")
    other = "postgresql://127.0.0.1:1/other"
    monkeypatch.setenv("DATABASE_REPLICA_URL", other)
    monkeypatch.setenv("DATABASE_MIGRATION_URL", other)

    settings = settings_for(database_url)

    assert (settings.docs, "api.example" in settings.http.hosts) == (True, False)
    assert (settings.database.replica_url, settings.database.migration_url) == (None, None)


async def test_worker_database_is_a_clone_of_the_template(
    database: Database, database_url: URL, template: URL
) -> None:
    assert database_url.database != template.database
    async with database.reading() as session:
        assert await session.scalar(text("SELECT current_database()")) == database_url.database
        assert await session.scalar(text("SELECT to_regclass('alembic_version')")) is not None


async def test_commit_in_a_test_is_not_visible_outside(
    session: AsyncSession, database: Database
) -> None:
    await session.execute(CREATE)
    await session.commit()
    async with database.transaction() as other:
        assert await other.scalar(text("SELECT to_regclass('kit_rig')")) is None


async def test_deferred_constraint_fails_at_the_end_of_a_request(
    app: FastAPI, client: AsyncClient, session: AsyncSession
) -> None:
    await session.execute(CREATE)
    await session.commit()
    routes = len(app.router.routes)

    @app.post("/kit/support")
    async def write(session: SessionDep) -> None:
        await session.execute(INSERT)

    try:
        # The constraint is deferred, so no statement of the request fails.
        assert [(await client.post("/kit/support")).status_code for _ in range(2)] == [200, 409]
    finally:
        del app.router.routes[routes:]
    assert await session.scalar(text("SELECT count(*) FROM kit_rig")) == 1


@pytest.mark.usefixtures("client")
async def test_snapshot_names_the_fixture_to_use(app: FastAPI) -> None:
    with pytest.raises(NotImplementedError, match="committing_client"):
        async with app.state.database.snapshot():
            pass


def test_wrong_statement_count_lists_the_statements() -> None:
    statements = Statements(["SELECT 1", "SELECT 2"])
    statements.assert_count(2)
    with pytest.raises(AssertionError, match=r"expected 1 statements, there were 2:\s+1. SELECT 1"):
        statements.assert_count(1)


async def test_statements_of_the_test_transaction_are_not_counted(
    client: AsyncClient, database: Database
) -> None:
    with counting(database.engine) as statements:
        await client.get("/nowhere")
    statements.assert_count(0)


async def test_cancelled_tcp_connect_does_not_fail_a_test() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host, port = silent.getsockname()
        for wait in range(1, 4):
            connecting = asyncpg.connect(host=host, port=port)
            with suppress(asyncio.CancelledError):
                await asyncio.create_task(CancelAtAwait(connecting, at=wait).run())
        # asyncio reports the abandoned future at garbage collection.
        gc.collect()
