"""Reads from a replica, on a PostgreSQL standby with streaming replication."""

import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path

import pytest
from anyio import fail_after, sleep
from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy import URL, make_url, text
from sqlalchemy.exc import DBAPIError

from app.kit.db.connections.url import parse_url
from app.kit.db.session import Database
from app.kit.errors.problems import Unavailable
from app.kit.http.dependencies import DatabaseDep, ReadSessionDep, SessionDep
from app.kit.migrations.runner import CodeRevisions, load_revisions
from app.kit.observability import health
from app.kit.observability.health import Readiness
from app.kit.writes.transactions import savepoint
from app.main import create_app
from local_postgres import ephemeral
from local_postgres.server import temp_dir
from tests.conformance.conftest import ReadLog
from tests.conformance.support.standby import standby_of
from tests.conformance.support.tcp_proxy import tcp_proxy
from tests.support.app import client_of, running
from tests.support.commands import run
from tests.support.database import migrated, settings_with

INSERT = text("INSERT INTO kit_notes DEFAULT VALUES")
COUNT = text("SELECT count(*) FROM kit_notes")
IN_RECOVERY = text("SELECT pg_is_in_recovery()")
NO_CACHE = {"Cache-Control": "No-Cache"}


@dataclass(frozen=True)
class Replication:
    """A primary and a standby that can be stopped and started again at the same address."""

    primary: URL
    folder: Path
    running_standby: ExitStack

    def start(self) -> URL:
        """Copy the primary and start the standby."""
        standby = self.running_standby.enter_context(standby_of(self.primary, self.folder))
        return standby.set(database=self.primary.database)

    def stop(self) -> None:
        """Stop the standby, like a failed host."""
        self.running_standby.close()


@pytest.fixture(scope="module")
def replication() -> Generator[Replication]:
    with ephemeral() as server, migrated(server) as primary, ExitStack() as running_standby:
        yield Replication(primary, temp_dir(), running_standby)


@pytest.fixture(scope="module")
async def service(anyio_backend: str, replication: Replication) -> AsyncGenerator[FastAPI]:
    """The service with the standby as its replica, and endpoints that use a table."""
    replica_url = settings_with(replication.start()).database.url
    app = create_app(settings_with(replication.primary, replica_url=replica_url))

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
    """The service's database, with an empty table that is replicated to the standby."""
    database: Database = service.state.database
    async with database.transaction() as session:
        await session.execute(
            text("CREATE TABLE kit_notes (number int GENERATED ALWAYS AS IDENTITY)")
        )
    await wait_for_replay(database)
    yield database
    async with database.transaction() as session:
        await session.execute(text("DROP TABLE kit_notes"))


@pytest.fixture
async def client(service: FastAPI, database: Database) -> AsyncGenerator[AsyncClient]:
    async with client_of(service) as client:
        yield client


async def wait_for(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until the condition is true; raises TimeoutError."""
    with fail_after(10):
        while not await condition():  # noqa: ASYNC110 - PostgreSQL sends no event
            await sleep(0.005)


async def has_status(client: AsyncClient, path: str, status: int) -> bool:
    """Whether a request returns this status."""
    return (await client.get(path)).status_code == status


async def wait_for_replay(database: Database) -> None:
    """Wait until the standby has replayed all writes of the primary."""
    async with database.transaction() as session:
        # An ephemeral server uses asynchronous commit by default.
        await session.execute(text("SET LOCAL synchronous_commit = on"))
        mark = text("SELECT pg_logical_emit_message(true, 'tests', '')::text")
        written = await session.scalar(mark)

    async def is_replayed() -> bool:
        async with database.reading() as session:
            position = text("SELECT pg_last_wal_replay_lsn() >= CAST(:written AS text)::pg_lsn")
            return bool(await session.scalar(position, {"written": written}))

    await wait_for(is_replayed)


async def query_standby(database: Database, statement: str) -> object:
    async with database.reading() as session:
        return await session.scalar(text(statement))


def replica_url(service: FastAPI) -> str:
    url: str = service.state.settings.database.replica_url.get_secret_value()
    return url


@pytest.fixture
async def paused(database: Database) -> AsyncGenerator[None]:
    """Pause the replay of writes on the standby."""
    await query_standby(database, "SELECT pg_wal_replay_pause()")

    async def is_paused() -> bool:
        state = await query_standby(database, "SELECT pg_get_wal_replay_pause_state()")
        return state == "paused"

    await wait_for(is_paused)
    yield
    await query_standby(database, "SELECT pg_wal_replay_resume()")


async def test_reads_use_the_standby_and_writes_use_the_primary(client: AsyncClient) -> None:
    assert (await client.get("/kit/in-recovery")).json() is True
    assert (await client.post("/kit/notes")).json() is False


async def test_write_is_readable_after_replication(client: AsyncClient, database: Database) -> None:
    assert (await client.get("/kit/notes")).json() == 0
    await client.post("/kit/notes")
    await wait_for_replay(database)
    assert (await client.get("/kit/notes")).json() == 1


@pytest.mark.usefixtures("paused")
async def test_no_cache_request_reads_from_the_primary(
    client: AsyncClient, database: Database
) -> None:
    await client.post("/kit/notes")
    assert (await client.get("/kit/notes")).json() == 0
    assert (await client.get("/kit/notes", headers=NO_CACHE)).json() == 1
    assert (await client.get("/kit/in-recovery", headers=NO_CACHE)).json() is False
    await query_standby(database, "SELECT pg_wal_replay_resume()")
    await wait_for_replay(database)
    assert (await client.get("/kit/notes")).json() == 1


@pytest.mark.parametrize("engine", ["read_engine", "primary_read_engine"])
async def test_read_session_rejects_writes(database: Database, engine: str) -> None:
    with pytest.raises(DBAPIError, match="read-only transaction"):
        async with database.sessions(bind=getattr(database, engine)) as session:
            await session.execute(INSERT)
    async with database.sessions(bind=database.primary_read_engine) as session:
        assert await session.scalar(COUNT) == 0


async def test_writes_return_to_the_primary_after_a_failover(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    """At first, the address of the primary leads to a standby."""
    async with tcp_proxy(database.read_engine.url) as proxy:
        app = create_app(settings_with(proxy.url, pooler="none"))

        @app.post("/kit/session")
        async def write(session: SessionDep) -> None:
            await session.execute(INSERT)

        @app.post("/kit/savepoint")
        async def write_in_savepoint(session: SessionDep) -> None:
            async with savepoint(session):
                await session.execute(INSERT)

        @app.post("/kit/statement")
        async def write_directly(db: DatabaseDep) -> None:
            await db.fetch_committed(INSERT.text, ())

        async with running(app), client_of(app) as client:
            paths = ["/kit/session", "/kit/savepoint", "/kit/statement"]
            responses = [await client.post(path) for path in paths * 2]
            assert [each.status_code for each in responses] == [503] * 6
            assert {each.headers["Retry-After"] for each in responses} == {"1"}

            proxy.server_url = database.engine.url
            assert [(await client.post(path)).status_code for path in paths] == [200] * 3
    log = capsys.readouterr().err
    assert log.count("ReadOnlySQLTransactionError: cannot execute INSERT in a read-only") == 6


async def test_connection_whose_begin_failed_is_replaced(database: Database) -> None:
    for level, is_accepted in (("SERIALIZABLE", False), ("REPEATABLE READ", True)):
        engine = database.read_engine.execution_options(isolation_level=level)
        # PostgreSQL rejects BEGIN: "cannot use serializable mode in a hot standby".
        with nullcontext() if is_accepted else pytest.raises(DBAPIError, match="hot standby"):
            async with engine.begin() as connection:
                assert await connection.scalar(IN_RECOVERY)


async def test_doctor_distinguishes_standby_and_primary(
    database: Database, replication: Replication
) -> None:
    standby = database.read_engine.url
    replica = {"DATABASE_REPLICA_URL": standby.render_as_string(hide_password=False)}
    settings = {"DATABASE_POOLER": "none"}
    result = run(replication.primary, "doctor", **settings, **replica)
    assert result.code == 0, result.out
    assert re.search(r"^ok +replication: \d+ bytes behind$", result.out, re.MULTILINE)
    assert re.search(r"^ok +revision of replica: ", result.out, re.MULTILINE)
    result = run(standby, "doctor", **settings)
    assert result.code == 1
    assert "failure  database: a standby, which rejects writes" in result.out


async def test_unreachable_standby_makes_reads_503_and_writes_continue(
    client: AsyncClient,
    service: FastAPI,
    database: Database,
    replication: Replication,
    read_log: ReadLog,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(health, "LIFETIME", 0)
    assert (await client.get("/kit/notes")).status_code == 200
    replication.stop()
    for _ in range(2):
        response = await client.get("/kit/notes")
        assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
    assert (await client.post("/kit/notes")).status_code == 200
    assert (await client.get("/kit/notes", headers=NO_CACHE)).json() == 1
    # The service still writes, and every other process has the same replica.
    for _ in range(2):
        assert (await client.get("/health/ready")).status_code == 200
    variables = {"DATABASE_POOLER": "none", "DATABASE_REPLICA_URL": replica_url(service)}
    result = run(replication.primary, "doctor", **variables)
    assert result.code == 1
    assert "until then, reads get 503, and writes succeed" in result.out
    (event,) = [line for line in read_log() if line["event"] == "replica unavailable"]
    assert event["reason"] == "The replica cannot be reached: the connection was refused."

    replication.start()
    await wait_for_replay(database)
    assert (await client.get("/kit/notes")).json() == 1
    assert (await client.get("/health/ready")).status_code == 200


@pytest.mark.usefixtures("paused")
async def test_service_is_not_ready_while_the_standby_lacks_a_migration(
    service: FastAPI, database: Database
) -> None:
    revision, rename = "kit_new", text("UPDATE alembic_version SET version_num = :new")
    revisions = CodeRevisions(frozenset({revision}), load_revisions().known | {revision})
    async with database.transaction() as session:
        old = await session.scalar(text("SELECT version_num FROM alembic_version"))
        await session.execute(rename, {"new": revision})
    readiness = Readiness(service.state.settings.database, "kit", revisions)
    with pytest.raises(Unavailable, match=r"^The replica is at migration .*, the code at kit_new"):
        await readiness.check()
    async with database.transaction() as session:
        await session.execute(rename, {"new": old})


async def test_prefer_standby_reads_from_the_primary_while_the_standby_is_down(
    service: FastAPI, database: Database, replication: Replication
) -> None:
    settings, standby = service.state.settings.database, parse_url(replica_url(service))
    hosts = [f"{url.query['host']}:{url.query['port']}" for url in (standby, replication.primary)]
    query = {"host": hosts, "target_session_attrs": "prefer-standby"}
    url = standby.set(query=query).render_as_string(hide_password=False)
    secret = settings_with(make_url(url)).database.url
    preferring = Database.open(settings.model_copy(update={"replica_url": secret}), "kit")
    assert await query_standby(preferring, "SELECT pg_is_in_recovery()") is True
    await preferring.close()  # drops the connection to the standby
    replication.stop()
    assert await query_standby(preferring, "SELECT pg_is_in_recovery()") is False
    with pytest.raises(DBAPIError, match="read-only transaction"):
        async with preferring.reading() as session:
            await session.execute(INSERT)
    await preferring.close()
    result = run(replication.primary, "doctor", DATABASE_POOLER="none", DATABASE_REPLICA_URL=url)
    assert "warning  replication: no standby accepts connections" in result.out
    assert result.code == 0
    replication.start()
    await wait_for_replay(database)
