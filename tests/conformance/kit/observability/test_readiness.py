"""The service is ready once its database is there and migrated, and says what is in the way."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from time import monotonic

import pytest
from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.kit.db.engine import build_migration_engine
from app.kit.db.schema_state import Revisions
from app.kit.errors import Unavailable
from app.kit.readiness import Readiness
from app.main import create_app
from tests.rig.app import client_of, running
from tests.rig.database import settings_for, settings_with

TWO_HEADS = Revisions(heads=frozenset({"b1", "b2"}), known=frozenset({"a", "b1", "b2"}))
NO_REVISION = Revisions(heads=frozenset(), known=frozenset())


@pytest.fixture
async def admin(own_database_url: URL) -> AsyncGenerator[AsyncConnection]:
    """A connection whose statements are there at once."""
    engine = build_migration_engine(settings_for(own_database_url).database, "kit")
    async with engine.connect() as connection:
        yield await connection.execution_options(isolation_level="AUTOCOMMIT")
    await engine.dispose()


def behind(applied: str) -> str:
    """The detail of the response for a database that lacks migrations."""
    return (
        f"The database is at migration {applied}, the code at b1, b2. Apply the pending "
        "migrations with `kit migrate`."
    )


async def obstacle(url: URL, revisions: Revisions) -> str | None:
    """What a service with these revisions says is in the way."""
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
async def test_behind_is_not_ready_and_ahead_is(
    own_database_url: URL, admin: AsyncConnection, applied: list[str], expected: str | None
) -> None:
    await admin.execute(text("DELETE FROM alembic_version"))
    for revision in applied:
        await admin.execute(text("INSERT INTO alembic_version VALUES (:it)"), {"it": revision})
    assert await obstacle(own_database_url, TWO_HEADS) == expected


async def test_a_database_that_was_never_migrated_is_not_ready(
    own_database_url: URL, admin: AsyncConnection
) -> None:
    await admin.execute(text("DROP TABLE alembic_version"))
    said = await obstacle(own_database_url, TWO_HEADS)
    assert said == behind("none")
    assert await obstacle(own_database_url, NO_REVISION) is None


async def test_a_hundred_probes_at_once_are_one_look(own_database_url: URL) -> None:
    """Counted where the connections arrive; what accepts and never answers is away."""
    arrived: list[asyncio.StreamWriter] = []

    async def accept(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.append(writer)

    silent = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    hanging = own_database_url.set(
        host="127.0.0.1", port=port, query={"ssl": "disable"}, password="s3cret"
    )
    app = create_app(settings_with(hanging, pooler="pgbouncer"))
    began = monotonic()
    async with running(app), client_of(app) as client:
        # The process is up although the database hangs.
        assert monotonic() - began < 3
        assert (await client.get("/health/live")).status_code == 200
        before = len(arrived)
        began = monotonic()
        answers = await asyncio.gather(*(client.get("/health/ready") for _ in range(100)))
        assert monotonic() - began < 3
        assert {answer.status_code for answer in answers} == {503}
        assert answers[0].json()["detail"] == "The database does not respond."
        assert (await client.get("/health/ready")).status_code == 503
        assert len(arrived) == before + 1
    for writer in arrived:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
    silent.close()
