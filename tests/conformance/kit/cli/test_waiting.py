"""Commands wait for a database that is starting, and report one that stays unreachable."""

import asyncio
import errno
import socket
from socket import AF_INET, SOCK_STREAM
from time import monotonic

import pytest
from sqlalchemy import URL, make_url, text

from app import cli
from app.kit.db.connections.startup_checks import (
    DatabaseUnreachable,
    network_failure,
    wait_for_database,
)
from app.kit.db.session import Database
from tests.support.database import settings_with

SECRET = "s3cret"


async def test_refused_connections_are_retried(unpooled_url: URL) -> None:
    socket_path = (
        f"{unpooled_url.query['host']}/.s.PGSQL.5432" if "host" in unpooled_url.query else None
    )

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connecting = (
            asyncio.open_unix_connection(socket_path)
            if socket_path
            else asyncio.open_connection(unpooled_url.host, unpooled_url.port or 5432)
        )
        server_reader, server_writer = await connecting
        await asyncio.gather(pump(reader, server_writer), pump(server_reader, writer))

    # Reserve a port that no server listens on yet.
    first = await asyncio.start_server(relay, "127.0.0.1", 0)
    port = first.sockets[0].getsockname()[1]
    first.close()
    await first.wait_closed()
    url = unpooled_url.set(host="127.0.0.1", port=port, query={})
    settings = settings_with(url, startup_timeout=10, pooler="none").database
    waiting = asyncio.create_task(wait_for_database(settings))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    second = await asyncio.start_server(relay, "127.0.0.1", port)
    await waiting
    second.close()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Forward data until the sender closes the connection."""
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


async def test_timeout_error_names_the_address_and_no_secret(
    own_database_url: URL,
) -> None:
    unreachable = own_database_url.set(host="127.0.0.1", port=1, password=SECRET, query={})
    started = monotonic()
    with pytest.raises(DatabaseUnreachable) as error:
        await wait_for_database(settings_with(unreachable, startup_timeout=0.3).database)
    assert monotonic() - started < 2
    assert str(error.value) == (
        "The database at 127.0.0.1:1 cannot be reached within 0.3 s: the connection was refused. "
        "Check that it is running, and DATABASE_URL."
    )


async def test_refusal_by_each_address_of_a_host_is_temporary(
    unpooled_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve(_host: object, port: int, *_options: object) -> list[tuple[object, ...]]:
        return [(AF_INET, SOCK_STREAM, 0, "", (each, port)) for each in ("127.0.0.1", "127.0.0.2")]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    url = unpooled_url.set(host="localhost", port=1, query={})
    settings = settings_with(url, startup_timeout=0.3, pooler="none").database
    with pytest.raises(DatabaseUnreachable, match=r"within 0\.3 s: no address of the host accepts"):
        await wait_for_database(settings)


@pytest.mark.parametrize("code", [errno.EHOSTUNREACH, errno.ENETUNREACH])
def test_missing_route_to_the_host_is_temporary(code: int) -> None:
    assert network_failure(OSError(code, "")).is_temporary


async def test_error_names_the_address_of_migration_url(own_database_url: URL) -> None:
    unreachable = settings_with(own_database_url.set(host="127.0.0.1", port=1, query={})).database
    settings = settings_with(own_database_url, migration_url=unreachable.url, startup_timeout=0)
    with pytest.raises(DatabaseUnreachable, match=r"at 127\.0\.0\.1:1 cannot be reached"):
        await wait_for_database(settings.database)


@pytest.mark.parametrize(
    "address", ["/missing_test", f"//app:{SECRET}@missing.invalid/app"], ids=["database", "host"]
)
async def test_permanent_error_is_not_retried(unpooled_url: URL, address: str) -> None:
    known = unpooled_url.set(database="missing_test")
    url = make_url(f"postgresql:{address}") if SECRET in address else known
    started = monotonic()
    with pytest.raises(DatabaseUnreachable) as error:
        await wait_for_database(settings_with(url, startup_timeout=60, pooler="none").database)
    assert monotonic() - started < 10
    assert SECRET not in str(error.value)


async def test_waiting_leaves_no_connection(unpooled_url: URL) -> None:
    settings = settings_with(unpooled_url, pooler="none").database
    await wait_for_database(settings)
    database = Database.open(settings, "kit")
    async with database.engine.connect() as connection:
        left = text("SELECT count(*) FROM pg_stat_activity WHERE application_name ~ 'waiting'")
        # PostgreSQL needs a moment to end the process of a closed connection.
        async with asyncio.timeout(5):
            while await connection.scalar(left):
                await connection.rollback()
                await asyncio.sleep(0.01)
    await database.close()


def test_command_reports_unreachable_database_without_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://app:{SECRET}@127.0.0.1:1/app")
    monkeypatch.setenv("DATABASE_STARTUP_TIMEOUT", "0")
    monkeypatch.setattr("sys.argv", ["service", "migrate"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2
    output = capsys.readouterr().err
    assert "The database at 127.0.0.1:1 cannot be reached: the connection was refused." in output
    assert "Traceback" not in output
    assert SECRET not in output
