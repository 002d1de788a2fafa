"""A served process on SIGTERM: what runs is finished, what takes too long is cut, nothing stays."""

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
from app.kit.garbage import OBJECTS_BETWEEN
from app.kit.http.admission import HEADERS_LIMIT
from tests.rig.database import settings_with

SLOW = """
import asyncio
import gc
from fastapi import APIRouter
from sqlalchemy import text
from app import registry
from app.kit.db.session import SessionDep

router = APIRouter()

@router.post("/kit/slow/{seconds}")
async def slow(seconds: float, session: SessionDep) -> None:
    await session.execute(text("INSERT INTO kit_slow VALUES (:it)"), {"it": seconds})
    await asyncio.sleep(seconds)

@router.get("/kit/garbage")
async def garbage() -> tuple[bool, int]:
    return gc.get_freeze_count() > 0, gc.get_threshold()[0]

registry.ROUTERS.append(router)
from app.cli import main
main()
"""


@pytest.fixture
async def database(direct_url: URL) -> AsyncGenerator[Database]:
    """A database with a table for the slow requests."""
    database = Database.open(settings_with(direct_url, pooler="none").database, "kit")
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
def process(direct_url: URL, port: int, tmp_path: Path) -> Generator["subprocess.Popen[bytes]"]:
    """The service, served by its own command, with a grace of one second."""
    program = tmp_path / "serve.py"
    program.write_text(SLOW)
    with subprocess.Popen(
        [sys.executable, str(program), "serve", f"--port={port}", "--grace=1"],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "DATABASE_URL": direct_url.render_as_string(hide_password=False),
            "DATABASE_POOLER": "none",
            "DATABASE_APPLICATION_NAME": "served",
        },
        stderr=subprocess.PIPE,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


async def test_sigterm_finishes_what_runs_cuts_what_lasts_and_leaves_no_connection(
    database: Database, port: int, process: "subprocess.Popen[bytes]"
) -> None:
    url = f"http://127.0.0.1:{port}"
    async with AsyncClient(base_url=url) as client, AsyncClient(base_url=url) as idle:
        await until_ready(idle)
        # What the process began with is not looked at for garbage again.
        assert (await idle.get("/kit/garbage")).json() == [True, OBJECTS_BETWEEN]
        refusal = await sent_without_end(port, b"GET /health/live HTTP/1.1\r\nHost: kit\r\n")
        assert b" 431 Request Header Fields Too Large" in refusal
        # After the body there may be headers again.
        chunked = b"Host: kit\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"
        assert await sent_without_end(port, b"POST /kit/slow/0 HTTP/1.1\r\n" + chunked) == b""
        short = asyncio.create_task(client.post("/kit/slow/0.5"))
        long = asyncio.create_task(client.post("/kit/slow/60"))
        await until_running(database, 2)

        process.send_signal(signal.SIGTERM)
        began = monotonic()

        assert (await short).status_code == 200
        # Never that it was done.
        with suppress(TransportError):
            assert (await long).status_code >= 500
    _, said = await asyncio.to_thread(process.communicate)
    assert process.returncode == 0, said.decode()
    # The idle connection kept nothing waiting.
    assert monotonic() - began < 3
    async with database.transaction() as session:
        kept = await session.scalars(text("SELECT seconds FROM kit_slow"))
        assert kept.all() == [0.5]
    await until_running(database, 0, "")


async def until_ready(client: AsyncClient) -> None:
    """Wait until it serves; fails where it never does."""
    async with asyncio.timeout(20):
        while True:
            try:
                if (await client.get("/health/ready")).is_success:
                    return
            except TransportError:
                pass
            await asyncio.sleep(0.02)


async def sent_without_end(port: int, beginning: bytes) -> bytes:
    """What is answered to headers that do not come to an end, once they are too large."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(beginning + b"X-Kit: ")
    await writer.drain()
    # Counted is what comes after the beginning.
    await asyncio.sleep(0.05)
    writer.write(b"x" * (HEADERS_LIMIT + 1))
    async with asyncio.timeout(5):
        answer = await reader.read()
    writer.close()
    return answer


async def until_running(database: Database, count: int, state: str = "idle in transaction") -> None:
    """Wait until the service has so many connections in this state, or in any."""
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
