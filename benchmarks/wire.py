"""A proxy in front of PostgreSQL that counts how often it is asked: at the wire, not guessed."""

import asyncio
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL

SOCKET = ".s.PGSQL.5432"
# Query, Sync, and the end of a COPY: what a client sends and then waits for an answer to.
AWAITED = b"QSc"


@dataclass
class Count:
    """Round trips so far."""

    trips: int = 0


@contextmanager
def counting(database: URL) -> Iterator[tuple[URL, Count]]:
    """The same database by way of the proxy, and what it counts."""
    place = Path(tempfile.mkdtemp(prefix="wire-"))
    count = Count()
    loop = asyncio.new_event_loop()
    server = Path(str(database.query["host"])) / SOCKET

    async def pipe(client: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        reader, writer = await asyncio.open_unix_connection(str(server))
        back = asyncio.create_task(_copy(reader, answer))
        try:
            await _copy_and_count(client, writer, count)
        finally:
            back.cancel()
            writer.close()
            answer.close()

    async def listen() -> None:
        await asyncio.start_unix_server(pipe, str(place / SOCKET))

    loop.run_until_complete(listen())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield database.set(query={**database.query, "host": str(place)}), count
    finally:
        asyncio.run_coroutine_threadsafe(_hang_up(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        shutil.rmtree(place)


async def _hang_up() -> None:
    lines = asyncio.all_tasks() - {asyncio.current_task()}
    for line in lines:
        line.cancel()
    await asyncio.gather(*lines, return_exceptions=True)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    # A client that says goodbye waits for this.
    writer.close()


async def _copy_and_count(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, count: Count
) -> None:
    try:
        # The first message has no type.
        length = await reader.readexactly(4)
        writer.write(length + await reader.readexactly(int.from_bytes(length) - 4))
        while True:
            head = await reader.readexactly(5)
            writer.write(head + await reader.readexactly(int.from_bytes(head[1:]) - 4))
            count.trips += head[:1] in AWAITED
    except (asyncio.IncompleteReadError, ConnectionError):
        return
