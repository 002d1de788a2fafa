"""A proxy in front of PostgreSQL that counts round trips."""

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
# Query, Sync and CopyDone: messages after which a client waits for a response.
AWAITED_MESSAGES = b"QSc"


@dataclass
class RoundTripCounter:
    """The number of round trips so far."""

    total: int = 0


@contextmanager
def counting_proxy(database: URL) -> Iterator[tuple[URL, RoundTripCounter]]:
    """Start the proxy; yield the URL of the database through it, and the counter."""
    directory = Path(tempfile.mkdtemp(prefix="proxy-"))
    counter = RoundTripCounter()
    loop = asyncio.new_event_loop()
    server = Path(str(database.query["host"])) / SOCKET

    async def pipe(client: asyncio.StreamReader, response: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_unix_connection(str(server))
        responses = asyncio.create_task(_copy(server_reader, response))
        try:
            await _copy_and_count(client, server_writer, counter)
        finally:
            responses.cancel()
            server_writer.close()
            response.close()

    async def listen() -> None:
        await asyncio.start_unix_server(pipe, str(directory / SOCKET))

    loop.run_until_complete(listen())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield database.set(query={**database.query, "host": str(directory)}), counter
    finally:
        asyncio.run_coroutine_threadsafe(_cancel_connections(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        shutil.rmtree(directory)


async def _cancel_connections() -> None:
    connections = asyncio.all_tasks() - {asyncio.current_task()}
    for connection in connections:
        connection.cancel()
    await asyncio.gather(*connections, return_exceptions=True)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    # A client that terminates waits until the connection is closed.
    writer.close()


async def _copy_and_count(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, counter: RoundTripCounter
) -> None:
    try:
        # The startup message has no type byte.
        length = await reader.readexactly(4)
        writer.write(length + await reader.readexactly(int.from_bytes(length) - 4))
        while True:
            head = await reader.readexactly(5)
            writer.write(head + await reader.readexactly(int.from_bytes(head[1:]) - 4))
            counter.total += head[:1] in AWAITED_MESSAGES
    except (asyncio.IncompleteReadError, ConnectionError):
        return
