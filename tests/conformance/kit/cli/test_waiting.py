"""Commands wait for a database that is still starting, and say so where it never comes."""

import asyncio
from time import monotonic

import pytest
from sqlalchemy import URL, make_url, text

from app import cli
from app.kit.db.session import Database
from app.kit.db.waiting import DatabaseUnreachable, wait_for_database
from tests.rig.database import settings_with

SECRET = "s3cret"


async def test_what_refuses_connections_is_waited_for(direct_url: URL) -> None:
    there = f"{direct_url.query['host']}/.s.PGSQL.5432" if "host" in direct_url.query else None

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connecting = (
            asyncio.open_unix_connection(there)
            if there
            else asyncio.open_connection(direct_url.host, direct_url.port or 5432)
        )
        far_reader, far_writer = await connecting
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))

    # The port is known before anybody listens on it.
    first = await asyncio.start_server(relay, "127.0.0.1", 0)
    port = first.sockets[0].getsockname()[1]
    first.close()
    await first.wait_closed()
    url = direct_url.set(host="127.0.0.1", port=port, query={})
    settings = settings_with(url, startup_timeout=10, pooler="none").database
    waiting = asyncio.create_task(wait_for_database(settings))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    second = await asyncio.start_server(relay, "127.0.0.1", port)
    await waiting
    second.close()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what comes until the sender ends."""
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


async def test_the_wait_ends_with_a_sentence_that_tells_where_and_no_secret(
    own_database_url: URL,
) -> None:
    away = own_database_url.set(host="127.0.0.1", port=1, password=SECRET, query={})
    began = monotonic()
    with pytest.raises(DatabaseUnreachable) as error:
        await wait_for_database(settings_with(away, startup_timeout=0.3).database)
    assert monotonic() - began < 2
    assert str(error.value) == (
        "The database at 127.0.0.1:1 cannot be reached within 0.3 s: the connection was refused."
    )


@pytest.mark.parametrize(
    "address", ["/missing_test", f"//app:{SECRET}@missing.invalid/app"], ids=["database", "host"]
)
async def test_what_waiting_would_not_mend_is_refused_at_once(
    direct_url: URL, address: str
) -> None:
    known = direct_url.set(database="missing_test")
    url = make_url(f"postgresql:{address}") if SECRET in address else known
    began = monotonic()
    with pytest.raises(DatabaseUnreachable) as error:
        await wait_for_database(settings_with(url, startup_timeout=60, pooler="none").database)
    assert monotonic() - began < 10
    assert SECRET not in str(error.value)


async def test_a_wait_leaves_no_connection(direct_url: URL) -> None:
    settings = settings_with(direct_url, pooler="none").database
    await wait_for_database(settings)
    database = Database.open(settings, "kit")
    async with database.engine.connect() as connection:
        left = text("SELECT count(*) FROM pg_stat_activity WHERE application_name ~ 'waiting'")
        assert await connection.scalar(left) == 0
    await database.close()


def test_a_command_ends_with_the_sentence_and_no_trace(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://app:{SECRET}@127.0.0.1:1/app")
    monkeypatch.setenv("DATABASE_STARTUP_TIMEOUT", "0")
    monkeypatch.setattr("sys.argv", ["service", "migrate"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2
    told = capsys.readouterr().err
    assert "The database at 127.0.0.1:1 cannot be reached: the connection was refused." in told
    assert "Traceback" not in told
    assert SECRET not in told
