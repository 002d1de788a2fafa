"""A TCP proxy to PostgreSQL that can break the connection at any message."""

from asyncio import (
    Event,
    StreamReader,
    StreamWriter,
    Task,
    TaskGroup,
    current_task,
    gather,
    open_connection,
    open_unix_connection,
    sleep,
    start_unix_server,
)
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import asyncpg
from sqlalchemy import URL

PORT = 5432
OBSERVER = "observer"
# Bytes; longer than any message in the tests.
LONGEST = 2**20


class Break(StrEnum):
    """How the proxy breaks a connection at a message."""

    BEFORE = "the message never arrives"
    AFTER = "the message arrives, its response does not"
    KILLED = "the server terminates the session before the message arrives"


@dataclass
class TcpProxy:
    """A proxy at `url` for the server at `server_url`. Open connections stay open."""

    server_url: URL
    url: URL
    # Messages to the server since the last call of `break_at`.
    messages: int = 0
    _at: int = 0
    _break: Break = Break.BEFORE
    _silenced: set[StreamWriter] = field(default_factory=set[StreamWriter])
    _clients: set[StreamWriter] = field(default_factory=set[StreamWriter])
    _connections: set["Task[None]"] = field(default_factory=set["Task[None]"])
    _terminated: Event = field(default_factory=Event)

    def __post_init__(self) -> None:
        self._terminated.set()

    def break_at(self, message: int, how: Break) -> None:
        """Break the connection once, at this message counted from now; 0 disables it."""
        self.messages, self._at, self._break = 0, message, how

    @property
    def broke(self) -> bool:
        """Whether the connection broke."""
        return 0 < self._at <= self.messages

    async def settle(self) -> None:
        """Wait until terminated sessions are closed on both sides.

        The broken message may be the last one of a connection, whose response no client reads.
        """
        await self._terminated.wait()
        await sleep(0.01)

    def send_fatal(self) -> None:
        """Send every client the error of a terminated session, and keep the connection open."""
        fields = b"SFATAL\0VFATAL\0C57P01\0Mterminating connection\0\0"
        for client in self._clients:
            client.write(b"E" + (len(fields) + 4).to_bytes(4) + fields)

    async def connect(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Forward messages between a client and the server."""
        self._connections.add(cast("Task[None]", current_task()))
        try:
            server_reader, server_writer = await self._connect_to_server()
        except OSError:  # the server is unreachable
            writer.close()
            return

        self._clients.add(writer)

        async def to_server(data: bytes) -> bool:
            self.messages += 1
            if self.messages == self._at:
                if self._break is Break.BEFORE:
                    return False
                if self._break is Break.AFTER:
                    self._silenced.add(server_writer)
                if self._break is Break.KILLED:
                    self._terminated.clear()
                    try:
                        await terminate_sessions(self.server_url)
                    finally:
                        self._terminated.set()
            server_writer.write(data)
            return True

        async def to_client(data: bytes) -> bool:
            if server_writer in self._silenced:
                return False
            writer.write(data)
            return True

        async def forward(source: StreamReader, send: Callable[[bytes], Awaitable[bool]]) -> None:
            with suppress(ConnectionError):
                while (data := await source.read(LONGEST)) and await send(data):
                    pass
            # Data already sent still arrives.
            server_writer.close()
            writer.close()

        async with TaskGroup() as tasks:
            tasks.create_task(forward(reader, to_server))
            tasks.create_task(forward(server_reader, to_client))
        self._clients.discard(writer)
        for closed in (writer, server_writer):
            with suppress(ConnectionError):
                await closed.wait_closed()

    async def wait_closed_connections(self) -> None:
        """Wait until all connections are closed."""
        await gather(*self._connections)

    async def _connect_to_server(self) -> tuple[StreamReader, StreamWriter]:
        host = self.server_url.query.get("host", self.server_url.host)
        port = self.server_url.query.get("port", self.server_url.port) or PORT
        if str(host).startswith("/"):
            return await open_unix_connection(f"{host}/.s.PGSQL.{port}", limit=LONGEST)
        return await open_connection(str(host), int(str(port)), limit=LONGEST)


@asynccontextmanager
async def direct_connection(
    url: URL, database: str | None
) -> AsyncGenerator["asyncpg.Connection[Any]"]:
    """Open a connection to a database of the server, not through the proxy."""
    _, arguments = url.get_dialect()().create_connect_args(url.set(database=database))
    connection = await asyncpg.connect(**arguments, server_settings={"application_name": OBSERVER})
    yield connection
    await connection.close()


async def terminate_sessions(url: URL) -> None:
    """Terminate every session of the service on a database, as an administrator would."""
    async with direct_connection(url, "postgres") as connection:
        await connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = $1 AND application_name <> $2",
            url.database,
            OBSERVER,
        )


@asynccontextmanager
async def tcp_proxy(server_url: URL) -> AsyncGenerator[TcpProxy]:
    """Start a proxy to the database at this URL, and close it at the end."""
    # A socket path has at most about 100 bytes.
    with TemporaryDirectory(prefix="proxy-", dir="/tmp") as folder:
        socket = {"host": folder, "port": str(PORT)}
        proxy = TcpProxy(server_url, server_url.set(host=None, port=None, query=socket))
        server = await start_unix_server(
            proxy.connect, Path(folder) / f".s.PGSQL.{PORT}", limit=LONGEST
        )
        async with server:
            yield proxy
            await proxy.wait_closed_connections()
