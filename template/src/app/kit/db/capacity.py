"""Whether the server has room for the connections of every process.

Each process keeps up to POOL_SIZE + MAX_OVERFLOW connections to write and as many to read; with a
replica the one half is on the primary, the other on the replica. So each server needs room for
PROCESSES * (POOL_SIZE + MAX_OVERFLOW), and without a replica the primary for twice that. Readiness
opens one more for some milliseconds, which is not counted.
"""

import asyncio

import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.kit.db.session import Database
from app.kit.db.settings import DatabaseSettings
from app.kit.errors import Unavailable

_log = structlog.get_logger(__name__)

# Seconds that a server which hangs may take from the start-up.
_PATIENCE = 1.5

# What is left for roles that are no superusers; the second setting is new in PostgreSQL 16.
_GRANTED = text("""
    SELECT current_setting('max_connections')::int
         - current_setting('superuser_reserved_connections')::int
         - coalesce(current_setting('reserved_connections', true)::int, 0)
""")


def wanted_of_each_server(settings: DatabaseSettings) -> int:
    """How many connections a process may open to one server; none are its own behind a pooler."""
    if settings.pooler == "pgbouncer":
        # It keeps the connections to the server, and has limits of its own.
        return 0
    pool = settings.pool_size + settings.max_overflow
    return pool if settings.replica_url else 2 * pool


async def granted(connection: AsyncConnection) -> int:
    """How many connections the server has for roles that are no superusers."""
    return int(await connection.scalar(_GRANTED) or 0)


async def warn_of_too_many_connections(database: Database, settings: DatabaseSettings) -> None:
    """Log the numbers where the processes together may want more than a server grants."""
    if not (each := wanted_of_each_server(settings)):
        return
    await _compare("primary", database.engine, settings.processes, each)
    if settings.replica_url:
        await _compare("replica", database.reading_engine, settings.processes, each)


async def _compare(server: str, engine: AsyncEngine, processes: int, each: int) -> None:
    try:
        async with asyncio.timeout(_PATIENCE), engine.connect() as connection:
            most = await granted(connection)
    except (SQLAlchemyError, Unavailable, TimeoutError):
        # A server that is away is no reason not to start: requests are answered 503 until then.
        return
    if processes * each > most:
        _log.warning(
            f"{processes} processes with {each} connections each may want {processes * each}, "
            f"but the {server} grants {most}: lower DATABASE_POOL_SIZE, or use PgBouncer",
            processes=processes,
            connections_each=each,
            wanted=processes * each,
            granted=most,
        )
