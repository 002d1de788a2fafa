"""On SIGTERM, a process finishes short requests, cancels long ones and closes its connections."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import suppress
from pathlib import Path
from time import monotonic

import pytest
from httpx2 import AsyncClient, TransportError
from sqlalchemy import URL, text

from app.kit.db.session import Database
from app.kit.http.middleware.request_limits import HEADERS_LIMIT
from app.kit.observability.garbage_collector import GC_THRESHOLD
from tests.support.authentication import client_headers
from tests.support.database import settings_with

SLOW = """
import asyncio
import gc
from collections.abc import AsyncIterable
from fastapi import APIRouter, Depends, Request
from fastapi.sse import EventSourceResponse
from sqlalchemy import func, literal_column, select, text
from app import registry
from app.kit.http.dependencies import DatabaseDep, SessionDep
from app.kit.http.streaming import StreamedRows

router = APIRouter()

@router.post("/kit/slow/{seconds}")
async def slow(seconds: float, session: SessionDep) -> None:
    await session.execute(text("INSERT INTO kit_slow VALUES (:it)"), {"it": seconds})
    await asyncio.sleep(seconds)

async def wait(seconds: float) -> None:
    await asyncio.sleep(seconds)

@router.get(
    "/kit/events/{seconds}", response_class=EventSourceResponse, dependencies=[Depends(wait)]
)
async def events() -> AsyncIterable[str]:
    yield "first"
    await asyncio.Event().wait()

@router.get("/kit/export/{fast_rows}")
async def export(fast_rows: int, database: DatabaseDep) -> StreamedRows:
    series = func.generate_series(1, 10_000_000)
    seconds = literal_column(f"CASE WHEN number > {fast_rows} THEN 60 ELSE 0 END")
    numbers = select(series.label("number")).subquery()
    statement = select(func.pg_sleep(seconds)).select_from(numbers)
    return StreamedRows(database, statement, lambda row: b"x" * 100, media_type="text/plain")

@router.get("/kit/client")
async def client(request: Request) -> list[str]:
    return [request.client.host, request.url.scheme]

@router.get("/kit/observability/garbage_collector")
async def garbage() -> tuple[bool, int]:
    return gc.get_freeze_count() > 0, gc.get_threshold()[0]

registry.ROUTERS.append(router)
from app.cli import main
main()
"""


@pytest.fixture
async def database(unpooled_url: URL) -> AsyncGenerator[Database]:
    """A database with a table for the slow requests."""
    database = Database.open(settings_with(unpooled_url, pooler="none").database, "kit")
    async with database.transaction() as session:
        await session.execute(text("CREATE TABLE kit_slow (seconds float)"))
    yield database
    await database.close()


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


@pytest.fixture
def process(
    unpooled_url: URL, port: int, tmp_path: Path, request: pytest.FixtureRequest
) -> Generator["subprocess.Popen[bytes]"]:
    """The service in a subprocess, with a grace period of one second.

    The parameter is another grace period, or environment variables.
    """
    parameter: int | dict[str, str] = getattr(request, "param", 1)
    grace, environment = (1, parameter) if isinstance(parameter, dict) else (parameter, {})
    program = tmp_path / "serve.py"
    program.write_text(SLOW)
    with subprocess.Popen(
        [sys.executable, str(program), "serve", f"--port={port}", f"--grace={grace}"],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "DATABASE_URL": unpooled_url.render_as_string(hide_password=False),
            "DATABASE_POOLER": "none",
            "DATABASE_APPLICATION_NAME": "served",
            **environment,
        },
        stderr=subprocess.PIPE,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


async def test_sigterm_finishes_short_requests_cancels_long_ones_and_closes_connections(
    database: Database, port: int, process: "subprocess.Popen[bytes]"
) -> None:
    url = f"http://127.0.0.1:{port}"
    headers = client_headers()
    async with (
        AsyncClient(base_url=url, headers=headers) as client,
        AsyncClient(base_url=url, headers=headers) as idle,
    ):
        await wait_until_ready(idle)
        # Objects from the startup are excluded from garbage collection.
        assert (await idle.get("/kit/observability/garbage_collector")).json() == [
            True,
            GC_THRESHOLD,
        ]
        rejection = await send_endless_headers(port, b"GET /health/live HTTP/1.1\r\nHost: kit\r\n")
        assert b" 431 Request Header Fields Too Large" in rejection
        # Trailers after a chunked body are headers as well.
        chunked = b"Host: kit\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"
        assert await send_endless_headers(port, b"POST /kit/slow/0 HTTP/1.1\r\n" + chunked) == b""
        short = asyncio.create_task(client.post("/kit/slow/0.5"))
        long = asyncio.create_task(client.post("/kit/slow/60"))
        await wait_for_connections(database, 2)

        process.send_signal(signal.SIGTERM)
        started = monotonic()

        assert (await short).status_code == 200
        # A cancelled request must not report success.
        with suppress(TransportError):
            assert (await long).status_code >= 500
    _, output = await asyncio.to_thread(process.communicate)
    assert process.returncode == 0, output.decode()
    # The idle keep-alive connection does not delay the shutdown.
    assert monotonic() - started < 3
    async with database.transaction() as session:
        kept = await session.scalars(text("SELECT seconds FROM kit_slow"))
        assert kept.all() == [0.5]
    await wait_for_connections(database, 0, "")


@pytest.mark.parametrize("process", [20], indirect=True)
@pytest.mark.usefixtures("database")
async def test_sigterm_ends_event_streams_before_running_requests(
    port: int, process: "subprocess.Popen[bytes]"
) -> None:
    url = f"http://127.0.0.1:{port}"
    async with AsyncClient(base_url=url, headers=client_headers()) as client:
        await wait_until_ready(client)

        async def read_stream(seconds: float) -> tuple[bytes, float]:
            response = await client.get(f"/kit/events/{seconds}", timeout=30)
            return response.content, monotonic()

        # The last stream starts after the signal.
        streams = [asyncio.create_task(read_stream(seconds)) for seconds in (0, 0, 0, 1)]
        slow = asyncio.create_task(client.post("/kit/slow/3"))
        await asyncio.sleep(0.5)

        process.send_signal(signal.SIGTERM)
        started = monotonic()

        contents, ended = zip(*await asyncio.gather(*streams), strict=True)
        # Complete responses: the clients connect again without an error.
        assert contents == (b'data: "first"\n\n',) * 4
        assert max(ended[:3]) - started < 1
        assert ended[3] - started < 2
        assert not slow.done()
        assert (await slow).status_code == 200
    _, output = await asyncio.to_thread(process.communicate)
    assert process.returncode == 0
    assert monotonic() - started < 6
    assert b"Traceback" not in output, output.decode()


@pytest.mark.parametrize("process", [{"HTTP_CONCURRENCY": "1"}], indirect=True)
async def test_cancelled_export_frees_its_connection_and_slot_at_once(
    database: Database, port: int, process: "subprocess.Popen[bytes]"
) -> None:
    url = f"http://127.0.0.1:{port}"
    async with AsyncClient(base_url=url, headers=client_headers()) as client:
        await wait_until_ready(client)
        # The client leaves while the server sends, and while it waits for the next rows.
        for fast_rows, state in ((10_000_000, "idle in transaction"), (2000, "active")):
            async with client.stream("GET", f"/kit/export/{fast_rows}") as response:
                parts = response.aiter_bytes()
                await anext(parts)
                await wait_for_connections(database, 1, state)

            started = monotonic()
            # It needs the only slot.
            assert (await client.post("/kit/slow/0")).status_code == 200
            await wait_for_connections(database, 0, state)
            assert monotonic() - started < 1
    process.send_signal(signal.SIGTERM)
    _, output = await asyncio.to_thread(process.communicate)
    assert b"Traceback" not in output, output.decode()


@pytest.mark.parametrize(
    ("process", "expected"),
    [
        ({}, ["203.0.113.7", "https"]),
        ({"FORWARDED_ALLOW_IPS": "192.0.2.0/24"}, ["127.0.0.1", "http"]),
    ],
    indirect=["process"],
    ids=["trusted", "untrusted"],
)
@pytest.mark.usefixtures("process")
async def test_forwarded_headers_are_read_from_trusted_proxies_only(
    port: int, expected: list[str]
) -> None:
    forwarded = {
        # The client has sent the first address itself.
        "X-Forwarded-For": "198.51.100.1, 203.0.113.7",
        "X-Forwarded-Proto": "https",
    }
    headers = client_headers() | forwarded
    async with AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers) as client:
        await wait_until_ready(client)
        assert (await client.get("/kit/client")).json() == expected


async def wait_until_ready(client: AsyncClient) -> None:
    """Wait until the service responds; raises TimeoutError."""
    async with asyncio.timeout(20):
        while True:
            try:
                if (await client.get("/health/ready")).is_success:
                    return
            except TransportError:
                pass
            await asyncio.sleep(0.02)


async def send_endless_headers(port: int, beginning: bytes) -> bytes:
    """Send endless headers; return the response after the limit."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(beginning + b"X-Kit: ")
    await writer.drain()
    # The limit applies to data after the first packet.
    await asyncio.sleep(0.05)
    writer.write(b"x" * (HEADERS_LIMIT + 1))
    async with asyncio.timeout(5):
        response = await reader.read()
    writer.close()
    return response


async def wait_for_connections(
    database: Database, count: int, state: str = "idle in transaction"
) -> None:
    """Wait until the service has this many connections in this state."""
    connections = text(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'served' "
        "AND datname = current_database() AND state LIKE :state || '%'"
    )
    async with asyncio.timeout(5):
        while True:
            async with database.reading() as session:
                if await session.scalar(connections, {"state": state}) == count:
                    return
            await asyncio.sleep(0.02)
