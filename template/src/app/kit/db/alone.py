"""Run one migration at a time, and give up rather than block the service."""

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
    """Wait until no other migration of this database runs, and hold the lock during the block.

    A transaction of a separate connection holds the lock: it outlasts the transactions of the
    migrations, and works behind a pooler in transaction mode. Logs a warning when it
    begins to wait. Raises `MigrationBlocked` after the seconds of `migration_wait`.
    """
    end = monotonic() + settings.migration_wait
    is_reported = False
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
                if not is_reported:
                    is_reported = True
                    holder = await connection.scalar(_HOLDER, {"key": KEY})
                    message = "Waiting up to %g seconds for another migration to finish: %s."
                    log.warning(message, settings.migration_wait, holder or "it has just ended")
            # Poll instead of blocking on the lock: CREATE INDEX CONCURRENTLY waits for every
            # running statement, so a statement that waits for this lock would be a deadlock.
            await asyncio.sleep(POLL)


async def _explain(connection: AsyncConnection, waited: float) -> str:
    holder = await connection.scalar(_HOLDER, {"key": KEY})
    return (
        f"Another migration of this database still runs after {waited:g} seconds: "
        f"{holder or 'it has just ended'}. Nothing was changed. Look in pg_stat_activity for what "
        "it waits for, and migrate again."
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
                    "A migration could not lock its table within DATABASE_LOCK_TIMEOUT "
                    f"({settings.lock_timeout:g} seconds) in {ATTEMPTS} attempts: a long "
                    "transaction holds a lock. The migration was rolled back, those before it are "
                    "kept. Migrate again when the transaction has ended."
                ) from error
            message = "A table is locked by another transaction; the next attempt is in %g seconds."
            log.warning(message, settings.lock_timeout)
            await asyncio.sleep(settings.lock_timeout)
