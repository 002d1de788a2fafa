"""Makes and drops databases, hundreds in a run, over a connection that is kept for each server."""

from contextlib import ExitStack
from typing import Any

import asyncpg
from anyio.from_thread import BlockingPortal, start_blocking_portal
from sqlalchemy import URL


class Maintenance:
    """Runs statements beside the databases of the tests: in a thread, with a loop of its own.

    A fixture that asks for a database may already run inside an event loop.
    """

    def __init__(self) -> None:
        self._connections: dict[URL, asyncpg.Connection[Any]] = {}
        self._until_the_end = ExitStack()
        self._portal: BlockingPortal | None = None

    def execute(self, server: URL, *statements: str) -> None:
        """Run each statement by itself, outside of any transaction."""
        if self._portal is None:
            self._portal = self._until_the_end.enter_context(start_blocking_portal())
        # Not over the database in question: it could neither be cloned nor dropped.
        self._portal.call(self._execute, server.set(database="postgres"), statements)

    async def _execute(self, server: URL, statements: tuple[str, ...]) -> None:
        connection = self._connections.get(server)
        if connection is None or connection.is_closed():
            _, where = server.get_dialect()().create_connect_args(server)
            connection = self._connections[server] = await asyncpg.connect(**where)
        for statement in statements:
            # Without parameters: one message, which a pooler in transaction mode understands too.
            await connection.execute(statement)

    def close(self) -> None:
        """Let go of every server; the next statement begins anew."""
        if self._portal is not None:
            self._portal.call(self._hang_up)
        self._until_the_end.close()
        self._portal = None

    async def _hang_up(self) -> None:
        while self._connections:
            _, connection = self._connections.popitem()
            connection.terminate()
