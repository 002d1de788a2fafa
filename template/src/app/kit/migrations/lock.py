"""Migration lock: one migration at a time per database, with a limit on lock waits."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from textwrap import dedent
from time import monotonic

from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncTransaction

from app.kit.db.settings import DatabaseSettings
from app.kit.errors.database_errors import driver_error, is_server_error, sqlstate

log = logging.getLogger(__name__)

ATTEMPTS = 3
POLL_INTERVAL = 0.2  # seconds
# Must stay the same in every release. Advisory locks are separate for each database.
LOCK_KEY = 7_203_685_477_580
_LOCK_NOT_AVAILABLE = "55P03"

_TRY_LOCK = text("SELECT pg_try_advisory_xact_lock(:key)")
_NO_IDLE_TIMEOUT = text("SET LOCAL idle_in_transaction_session_timeout = 0")
# Seconds. A firewall may drop a connection that is idle during a long migration.
_KEEPALIVE = text("SET LOCAL tcp_keepalives_idle = 60")
_LOCK_HOLDER = text(
    "SELECT format('process %s (%s%s), since %s', a.pid, a.application_name,"
    " ' from ' || host(a.client_addr), date_trunc('second', a.backend_start))"
    " FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
    " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1"
    " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND (l.classid::bigint << 32) + l.objid::bigint = :key"
)
_WAITING = "Waiting up to %g seconds for another migration to finish: %s."
_BLOCKED = (
    "Another migration of this database is still running after {:g} seconds: {}. Nothing was "
    "changed. Check in pg_stat_activity what it is waiting for, then migrate again."
)
# The rest of a rejected statement is not printed.
_STATEMENT_LINES = 10


class MigrationFailed(CommandError):
    """PostgreSQL rejected a statement of a migration."""


class MigrationBlocked(CommandError):
    """A migration waited too long for a lock. It is safe to migrate again."""


@asynccontextmanager
async def migration_lock(engine: AsyncEngine, settings: DatabaseSettings) -> AsyncGenerator[None]:
    """Hold the migration lock of this database during the block.

    A transaction on a separate connection holds the lock. The lock therefore outlives the
    transactions of the migrations, and it works behind a pooler in transaction mode.

    Logs a warning when it starts to wait. Raises `MigrationBlocked` after `migration_wait` seconds.
    """
    deadline = monotonic() + settings.migration_wait
    is_reported = False
    async with engine.connect() as connection:
        while True:
            async with connection.begin() as transaction:
                if await connection.scalar(_TRY_LOCK, {"key": LOCK_KEY}):
                    # Must be the last statements of this transaction. With asyncpg, the snapshot of
                    # the last statement stays open while the transaction is idle, and CREATE INDEX
                    # CONCURRENTLY would wait for it. SET takes no snapshot.
                    await connection.execute(_NO_IDLE_TIMEOUT)
                    await connection.execute(_KEEPALIVE)
                    try:
                        yield
                        return
                    finally:
                        await _release(transaction)
                is_late = monotonic() > deadline
                if is_late or not is_reported:
                    holder = await connection.scalar(_LOCK_HOLDER, {"key": LOCK_KEY})
                    holder = holder or "it has just ended"
                    if is_late:
                        raise MigrationBlocked(_BLOCKED.format(settings.migration_wait, holder))
                    log.warning(_WAITING, settings.migration_wait, holder)
                    is_reported = True
            # Poll: CREATE INDEX CONCURRENTLY waits for every running statement. A statement that
            # blocked on this lock would cause a deadlock.
            await asyncio.sleep(POLL_INTERVAL)


async def _release(transaction: AsyncTransaction) -> None:
    try:
        await transaction.close()
    except DBAPIError:
        log.warning(
            "The connection that holds the migration lock was lost. Another process may have run "
            "migrations at the same time: run `check`."
        )


async def retry_on_lock_timeout(
    engine: AsyncEngine, settings: DatabaseSettings, work: Callable[[Connection], None]
) -> None:
    """Run the migrations, and retry when one cannot lock a table within `lock_timeout`.

    A migration that waits for a table blocks every later statement on that table. Each attempt
    therefore waits for at most `lock_timeout` seconds. The pause between attempts is equally long.

    Raises `MigrationBlocked` after `ATTEMPTS` attempts, and `MigrationFailed` for any other error
    of PostgreSQL.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            async with engine.connect() as connection:
                await connection.run_sync(work)
            return
        except DBAPIError as error:
            if sqlstate(error) != _LOCK_NOT_AVAILABLE:
                if is_server_error(error):
                    raise MigrationFailed(_failure_message(error)) from error
                raise
            if attempt == ATTEMPTS:
                raise MigrationBlocked(
                    "A migration could not lock its table within DATABASE_LOCK_TIMEOUT "
                    f"({settings.lock_timeout:g} seconds) in {ATTEMPTS} attempts: another "
                    "transaction holds a lock on it. This migration was rolled back, earlier ones "
                    "are applied. Migrate again after that transaction has ended."
                ) from error
            message = "Another transaction has locked the table. Next attempt in %g seconds."
            log.warning(message, settings.lock_timeout)
            await asyncio.sleep(settings.lock_timeout)


def is_forbidden(error: DBAPIError) -> bool:
    """Return whether the role lacks a privilege, or may only read."""
    # No privilege, a read-only transaction, no schema in which the role may create tables.
    return sqlstate(error) in {"42501", "25006", "3F000"}


def _failure_message(error: DBAPIError) -> str:
    """Return the message and the hint of PostgreSQL, with the first lines of the statement."""
    lines = dedent(error.statement or "").strip().splitlines()
    shown = [*lines[:_STATEMENT_LINES], *(["…"] if len(lines) > _STATEMENT_LINES else [])]
    advice = (
        ". Set DATABASE_MIGRATION_URL to the role that owns the schema, as in docs/database.md:"
        if is_forbidden(error)
        else ""
    )
    return "\n".join([f"PostgreSQL rejected a statement: {driver_error(error)}{advice}", *shown])
