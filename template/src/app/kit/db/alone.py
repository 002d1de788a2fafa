"""One migration at a time, which gives up rather than hold up the service."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from time import monotonic

from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.kit.db.conflicts import driver_error
from app.kit.db.settings import DatabaseSettings

log = logging.getLogger(__name__)

ATTEMPTS = 3
POLL = 0.2  # seconds
# The same in every release; PostgreSQL keeps the locks of each database apart.
KEY = 7_203_685_477_580
_LOCK_NOT_AVAILABLE = "55P03"

_TRY = text("SELECT pg_try_advisory_xact_lock(:key)")
_HOLDER = text(
    "SELECT format('process %s (%s%s), since %s', a.pid, a.application_name,"
    " ' from ' || host(a.client_addr), date_trunc('second', a.backend_start))"
    " FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
    " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1"
    " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND (l.classid::bigint << 32) + l.objid::bigint = :key"
)


class MigrationBlocked(CommandError):
    """Somebody else's work was in the way for too long; to migrate again is safe."""


@asynccontextmanager
async def alone(engine: AsyncEngine, settings: DatabaseSettings) -> AsyncGenerator[None]:
    """Wait until no other migration of this database runs, and keep others out meanwhile.

    A transaction of a connection of its own holds the lock: it outlasts the transactions of the
    revisions, and a pooler in transaction mode leaves it in its place. Raises `MigrationBlocked`
    after the seconds of `migration_wait`.
    """
    end = monotonic() + settings.migration_wait
    async with engine.connect() as connection:
        while True:
            async with connection.begin():
                if await connection.scalar(_TRY, {"key": KEY}):
                    # Until a statement follows, PostgreSQL keeps the snapshot of the last one, and
                    # CREATE INDEX CONCURRENTLY would wait for its end; this one has none.
                    await connection.execute(
                        text("SET LOCAL idle_in_transaction_session_timeout = 0")
                    )
                    yield
                    return
                if monotonic() > end:
                    raise MigrationBlocked(await _explain(connection, settings.migration_wait))
            # Asked again rather than waited for: CREATE INDEX CONCURRENTLY waits for every
            # statement that runs, and one that waits for the lock would wait for it in turn.
            await asyncio.sleep(POLL)


async def _explain(connection: AsyncConnection, waited: float) -> str:
    holder = await connection.scalar(_HOLDER, {"key": KEY})
    return (
        f"Another migration of this database still runs after {waited:g} seconds: "
        f"{holder or 'it has just ended'}. Nothing was changed; see what it waits for in "
        "pg_stat_activity, and migrate again."
    )


async def migrate_patiently(
    engine: AsyncEngine, settings: DatabaseSettings, work: Callable[[Connection], None]
) -> None:
    """Do the work; where it cannot have a lock in time, again, `ATTEMPTS` times in all.

    A revision that waits for a table makes everybody wait who comes after it: it gives up after
    `lock_timeout`, leaves them as long alone, and raises `MigrationBlocked` in the end.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            async with engine.connect() as connection:
                await connection.run_sync(work)
            return
        except DBAPIError as error:
            if getattr(driver_error(error), "sqlstate", None) != _LOCK_NOT_AVAILABLE:
                raise
            if attempt == ATTEMPTS:
                raise MigrationBlocked(
                    "A revision could not lock what it changes within DATABASE_LOCK_TIMEOUT "
                    f"({settings.lock_timeout:g} seconds), {ATTEMPTS} times: a long transaction "
                    "is in its way. The revision was undone as a whole, those before it are "
                    "kept; migrate again when the transaction has ended."
                ) from error
            log.warning("A lock was not to be had; trying again in %g s", settings.lock_timeout)
            await asyncio.sleep(settings.lock_timeout)
