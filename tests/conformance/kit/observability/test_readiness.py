"""The service is ready once its database is reachable and migrated."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from time import monotonic

import pytest
from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.kit.db.engine import build_migration_engine
from app.kit.errors.problems import Unavailable
from app.kit.migrations.runner import CodeRevisions
from app.kit.observability.health import Readiness
from app.main import create_app
from tests.conformance.conftest import ReadLog
from tests.support.app import client_of, running
from tests.support.database import settings_for, settings_with

TWO_HEADS = CodeRevisions(heads=frozenset({"b1", "b2"}), known=frozenset({"a", "b1", "b2"}))
NO_REVISION = CodeRevisions(heads=frozenset(), known=frozenset())


@pytest.fixture
async def admin(own_database_url: URL) -> AsyncGenerator[AsyncConnection]:
    """An autocommit connection."""
    engine = build_migration_engine(settings_for(own_database_url).database, "kit")
    async with engine.connect() as connection:
        yield await connection.execution_options(isolation_level="AUTOCOMMIT")
    await engine.dispose()


def behind(applied: str) -> str:
    """Return the detail of the response if migrations are pending."""
    return (
        f"The database is at migration {applied}, the code at b1, b2. Apply the pending "
        "migrations with `kit migrate`."
    )


async def reason(url: URL, revisions: CodeRevisions) -> str | None:
    """Return why a service with these migrations is not ready."""
    readiness = Readiness(settings_for(url).database, "kit", revisions)
    try:
        await readiness.check()
    except Unavailable as error:
        return error.detail
    return None


@pytest.mark.parametrize(
    ("applied", "expected"),
    [
        (["b1", "b2"], None),
        (["newer"], None),
        (["b1", "newer"], None),
        (["b1"], behind("b1")),
        (["a"], behind("a")),
        ([], behind("none")),
    ],
)
async def test_pending_migration_is_not_ready_and_newer_schema_is(
    own_database_url: URL, admin: AsyncConnection, applied: list[str], expected: str | None
) -> None:
    await admin.execute(text("DELETE FROM alembic_version"))
    for revision in applied:
        await admin.execute(text("INSERT INTO alembic_version VALUES (:it)"), {"it": revision})
    assert await reason(own_database_url, TWO_HEADS) == expected


async def test_database_without_migrations_is_not_ready(
    own_database_url: URL, admin: AsyncConnection
) -> None:
    await admin.execute(text("DROP TABLE alembic_version"))
    detail = await reason(own_database_url, TWO_HEADS)
    assert detail == behind("none")
    assert await reason(own_database_url, NO_REVISION) is None


async def test_startup_logs_the_reason(own_database_url: URL, read_log: ReadLog) -> None:
    url = own_database_url.set(database="missing")
    await Readiness(settings_for(url).database, "kit", NO_REVISION).log_status()
    (event,) = [line for line in read_log() if line["event"] == "not ready"]
    assert event["reason"] == "The database cannot be reached (InvalidCatalogNameError)."


async def test_concurrent_probes_share_one_check(own_database_url: URL) -> None:
    """Counts connections to a server that accepts them and never responds."""
    connections: list[asyncio.StreamWriter] = []

    async def accept(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)

    silent = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    hanging = own_database_url.set(
        host="127.0.0.1", port=port, query={"ssl": "disable"}, password="s3cret"
    )
    app = create_app(settings_with(hanging, pooler="pgbouncer"))
    started = monotonic()
    async with running(app), client_of(app) as client:
        # The process starts although the database does not respond.
        assert monotonic() - started < 3
        assert (await client.get("/health/live")).status_code == 200
        before = len(connections)
        started = monotonic()
        responses = await asyncio.gather(*(client.get("/health/ready") for _ in range(100)))
        assert monotonic() - started < 3
        assert {response.status_code for response in responses} == {503}
        assert responses[0].json()["detail"] == "The database does not respond."
        assert (await client.get("/health/ready")).status_code == 503
        assert len(connections) == before + 1
    for writer in connections:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
    silent.close()
