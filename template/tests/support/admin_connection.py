"""Create and drop databases over one open connection per server."""

from contextlib import ExitStack
from typing import Any

import asyncpg
from anyio.from_thread import BlockingPortal, start_blocking_portal
from sqlalchemy import URL


class AdminConnection:
    """Runs statements outside the test databases, on an event loop in another thread.

    A fixture that needs a database may already run inside an event loop.
    """

    def __init__(self) -> None:
        self._connections: dict[URL, asyncpg.Connection[Any]] = {}
        self._cleanup = ExitStack()
        self._portal: BlockingPortal | None = None

    def execute(self, server: URL, *statements: str) -> None:
        """Execute each statement in autocommit mode."""
        if self._portal is None:
            self._portal = self._cleanup.enter_context(start_blocking_portal())
        # Connect to `postgres`: a database in use can be neither cloned nor dropped.
        self._portal.call(self._execute, server.set(database="postgres"), statements)

    async def _execute(self, server: URL, statements: tuple[str, ...]) -> None:
        connection = self._connections.get(server)
        if connection is None or connection.is_closed():
            _, where = server.get_dialect()().create_connect_args(server)
            connection = self._connections[server] = await asyncpg.connect(**where)
        for statement in statements:
            # No parameters: the simple protocol works behind a pooler in transaction mode.
            await connection.execute(statement)

    def close(self) -> None:
        """Close all connections; the next statement reconnects."""
        if self._portal is not None:
            self._portal.call(self._hang_up)
        self._cleanup.close()
        self._portal = None

    async def _hang_up(self) -> None:
        while self._connections:
            _, connection = self._connections.popitem()
            connection.terminate()
