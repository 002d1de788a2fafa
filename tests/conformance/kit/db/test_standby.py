"""A second URL to read from, on a real streaming standby, whatever server the tests are given."""

import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from anyio import fail_after, sleep
from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy import URL, text
from sqlalchemy.exc import DBAPIError

from app.kit.db.session import Database, ReadSessionDep, SessionDep
from app.main import create_app
from local_postgres import ephemeral
from local_postgres.server import temp_dir
from tests.conformance.support.standby import standby_of
from tests.rig.app import client_of, running
from tests.rig.commands import run
from tests.rig.database import migrated, settings_with

INSERT = text("INSERT INTO kit_notes DEFAULT VALUES")
COUNT = text("SELECT count(*) FROM kit_notes")
IN_RECOVERY = text("SELECT pg_is_in_recovery()")
NO_CACHE = {"Cache-Control": "no-cache"}


@dataclass(frozen=True)
class Replication:
    """A primary, and its standby, which can go away and come back at the same address."""

    primary: URL
    place: Path
    present: ExitStack

    def begin(self) -> URL:
        """Copy the primary and start to follow it."""
        standby = self.present.enter_context(standby_of(self.primary, self.place))
        return standby.set(database=self.primary.database)

    def end(self) -> None:
        """Stop the standby, as a host that dies would."""
        self.present.close()


@pytest.fixture(scope="module")
def replication() -> Generator[Replication]:
    with ephemeral() as server, migrated(server) as primary, ExitStack() as present:
        yield Replication(primary, temp_dir(), present)


@pytest.fixture(scope="module")
async def service(anyio_backend: str, replication: Replication) -> AsyncGenerator[FastAPI]:
    """The service with a standby to read from, and routes over a table of theirs."""
    second = settings_with(replication.begin()).database.url
    app = create_app(settings_with(replication.primary, replica_url=second))

    @app.post("/kit/notes")
    async def write(session: SessionDep) -> bool | None:
        await session.execute(INSERT)
        in_recovery: bool | None = await session.scalar(IN_RECOVERY)
        return in_recovery

    @app.get("/kit/notes")
    async def count(session: ReadSessionDep) -> int | None:
        found: int | None = await session.scalar(COUNT)
        return found

    @app.get("/kit/in-recovery")
    async def in_recovery(session: ReadSessionDep) -> bool | None:
        found: bool | None = await session.scalar(IN_RECOVERY)
        return found

    async with running(app):
        yield app


@pytest.fixture
async def database(service: FastAPI) -> AsyncGenerator[Database]:
    """The databases of the service, with an empty table that has reached the standby."""
    database: Database = service.state.database
    async with database.transaction() as session:
        await session.execute(
            text("CREATE TABLE kit_notes (number int GENERATED ALWAYS AS IDENTITY)")
        )
    await caught_up(database)
    yield database
    async with database.transaction() as session:
        await session.execute(text("DROP TABLE kit_notes"))


@pytest.fixture
async def client(service: FastAPI, database: Database) -> AsyncGenerator[AsyncClient]:
    async with client_of(service) as client:
        yield client


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until it is true; fails where it never is."""
    with fail_after(10):
        while not await condition():  # noqa: ASYNC110 - PostgreSQL sends no event
            await sleep(0.005)


async def answers(client: AsyncClient, path: str, status: int) -> bool:
    """Whether the answer is this one."""
    return (await client.get(path)).status_code == status


async def caught_up(database: Database) -> None:
    """Wait until the standby has repeated all that the primary has written so far."""
    async with database.transaction() as session:
        # A throw-away server acknowledges first and sends later, unless a transaction minds.
        await session.execute(text("SET LOCAL synchronous_commit = on"))
        mark = text("SELECT pg_logical_emit_message(true, 'tests', '')::text")
        written = await session.scalar(mark)

    async def repeated() -> bool:
        async with database.reading() as session:
            there = text("SELECT pg_last_wal_replay_lsn() >= CAST(:written AS text)::pg_lsn")
            return bool(await session.scalar(there, {"written": written}))

    await until(repeated)


async def on_the_standby(database: Database, statement: str) -> object:
    async with database.reading() as session:
        return await session.scalar(text(statement))


@pytest.fixture
async def paused(database: Database) -> AsyncGenerator[None]:
    """The standby hears of new writes, but does not repeat them."""
    await on_the_standby(database, "SELECT pg_wal_replay_pause()")

    async def is_paused() -> bool:
        state = await on_the_standby(database, "SELECT pg_get_wal_replay_pause_state()")
        return state == "paused"

    await until(is_paused)
    yield
    await on_the_standby(database, "SELECT pg_wal_replay_resume()")


async def test_reads_go_to_the_standby_and_writes_to_the_primary(client: AsyncClient) -> None:
    assert (await client.get("/kit/in-recovery")).json() is True
    assert (await client.post("/kit/notes")).json() is False


async def test_what_is_written_can_be_read_once_the_standby_has_repeated_it(
    client: AsyncClient, database: Database
) -> None:
    assert (await client.get("/kit/notes")).json() == 0
    await client.post("/kit/notes")
    await caught_up(database)
    assert (await client.get("/kit/notes")).json() == 1


@pytest.mark.usefixtures("paused")
async def test_a_reader_that_must_see_its_own_write_asks_for_the_primary(
    client: AsyncClient, database: Database
) -> None:
    await client.post("/kit/notes")
    assert (await client.get("/kit/notes")).json() == 0
    assert (await client.get("/kit/notes", headers=NO_CACHE)).json() == 1
    assert (await client.get("/kit/in-recovery", headers=NO_CACHE)).json() is False
    await on_the_standby(database, "SELECT pg_wal_replay_resume()")
    await caught_up(database)
    assert (await client.get("/kit/notes")).json() == 1


@pytest.mark.parametrize("fresh", [False, True])
async def test_a_write_in_a_session_that_only_reads_is_refused(
    database: Database, fresh: bool
) -> None:
    with pytest.raises(DBAPIError, match="read-only transaction"):
        async with database.reading(fresh=fresh) as session:
            await session.execute(INSERT)
    async with database.reading(fresh=True) as session:
        assert await session.scalar(COUNT) == 0


async def test_the_doctor_tells_a_standby_from_a_primary(
    database: Database, replication: Replication
) -> None:
    standby = database.reading_engine.url
    there = {"DATABASE_REPLICA_URL": standby.render_as_string(hide_password=False)}
    well = {"DATABASE_POOLER": "none"}
    ended = run(replication.primary, "doctor", **well, **there)
    assert ended.code == 0, ended.out
    assert re.search(r"^ok +replication: \d+ bytes behind$", ended.out, re.MULTILINE)
    assert re.search(r"^ok +revision of replica: ", ended.out, re.MULTILINE)
    ended = run(standby, "doctor", **well)
    assert ended.code == 1
    assert "failure  database: a standby, which rejects writes" in ended.out


async def test_while_the_standby_is_away_reads_are_503_and_writes_go_on(
    client: AsyncClient, database: Database, replication: Replication
) -> None:
    assert (await client.get("/kit/notes")).status_code == 200
    replication.end()
    for _ in range(2):
        answer = await client.get("/kit/notes")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert (await client.post("/kit/notes")).status_code == 200
    assert (await client.get("/kit/notes", headers=NO_CACHE)).json() == 1
    await until(lambda: answers(client, "/health/ready", 503))

    replication.begin()
    await caught_up(database)
    assert (await client.get("/kit/notes")).json() == 1
    await until(lambda: answers(client, "/health/ready", 200))
