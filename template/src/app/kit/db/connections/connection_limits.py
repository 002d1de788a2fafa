"""Startup check of the number of database connections.

Each process has two pools, one for writing and one for reading, with up to POOL_SIZE + MAX_OVERFLOW
connections each. With a replica, the primary and the replica each need PROCESSES * (POOL_SIZE +
MAX_OVERFLOW) connections. Without one, the primary needs twice as many. The readiness check
opens one more connection for some milliseconds, which is not counted.
"""

import asyncio

import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.kit.db.session import Database
from app.kit.db.settings import DatabaseSettings
from app.kit.errors.problems import Unavailable

_log = structlog.get_logger(__name__)

# Seconds. An unresponsive server must not delay the start of the service.
_TIMEOUT = 1.5

# `reserved_connections` is new in PostgreSQL 16.
_GRANTED = text("""
    SELECT current_setting('max_connections')::int
         - current_setting('superuser_reserved_connections')::int
         - coalesce(current_setting('reserved_connections', true)::int, 0)
""")


def required_connections(settings: DatabaseSettings) -> int:
    """Return the maximum number of connections from one process to each server; 0 with PgBouncer.

    PgBouncer opens the server connections, and has its own limits.
    """
    if settings.pooler == "pgbouncer":
        return 0
    pool = settings.pool_size + settings.max_overflow
    return pool if settings.replica_url else 2 * pool


async def available_connections(connection: AsyncConnection) -> int:
    """Return the number of connections that the server accepts from non-superusers."""
    return int(await connection.scalar(_GRANTED) or 0)


async def warn_if_too_many_connections(database: Database, settings: DatabaseSettings) -> None:
    """Log a warning if all processes together can open more connections than a server accepts."""
    if not (each := required_connections(settings)):
        return
    await _compare("primary", database.engine, settings.processes, each)
    if settings.replica_url:
        await _compare("replica", database.read_engine, settings.processes, each)


async def _compare(server: str, engine: AsyncEngine, processes: int, each: int) -> None:
    try:
        async with asyncio.timeout(_TIMEOUT), engine.connect() as connection:
            most = await available_connections(connection)
    except (SQLAlchemyError, Unavailable, TimeoutError):
        # The service starts without a database: requests get status 503 until it is reachable.
        return
    if processes * each > most:
        _log.warning(
            f"{processes} processes with up to {each} connections each need {processes * each}, "
            f"but the {server} accepts {most}. Lower DATABASE_POOL_SIZE, or use PgBouncer.",
            processes=processes,
            connections_each=each,
            wanted=processes * each,
            granted=most,
        )
