"""One statement, run by the driver itself on a connection of SQLAlchemy's pool.

No transaction is begun: PostgreSQL makes one of the statement. What the pool promises is kept, and
errors are those of SQLAlchemy.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import asyncpg
from sqlalchemy import ExceptionContext, QueuePool, event
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError, DisconnectionError, MissingGreenlet
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import greenlet_spawn
from sqlalchemy.util.concurrency import in_greenlet

from app.kit.db.redaction import redact
from app.kit.db.unreadable import UnreadableValue, is_unreadable, unreadable_value
from app.kit.errors import Unavailable

Rows = Sequence[Sequence[Any]]


def watch_connections(engine: Engine) -> None:
    """Report a database that cannot be reached as `Unavailable`, and replace lost connections."""
    event.listen(engine, "do_connect", _connect)
    event.listen(engine, "checkout", _refuse_closed)
    event.listen(engine, "handle_error", _reconnect_after_driver_fault)


def is_watched(engine: AsyncEngine) -> bool:
    """Whether somebody listens to statements, or set options that connections have to honour."""
    sync = engine.sync_engine
    return bool(sync.echo or sync.get_execution_options() or sync.dispatch.before_cursor_execute)


async def fetch(engine: AsyncEngine, sql: str, values: Sequence[Any]) -> Rows:
    """The rows of a statement in the words of the server."""
    sync = engine.sync_engine
    connection: Any = None
    try:
        connection = await _checked_out(sync)
        return await _run(connection, sql, values)
    except UnreadableValue:
        raise
    except sync.dialect.loaded_dbapi.Error as error:
        lost = connection is not None and _is_lost(sync, connection, error)
        if connection is not None and lost:
            await greenlet_spawn(connection.invalidate, error)
        raise _told(error, sql, sync, lost=lost) from error
    except BaseException:
        # Cancelled in the middle of an answer, which the next user would get.
        if connection:
            await greenlet_spawn(connection.invalidate)
        raise
    finally:
        if connection:
            await _give_back(sync, connection)


def _is_lost(engine: Engine, connection: Any, error: Any) -> bool:
    # A driver that has lost track of the connection does not call it closed.
    cause = error.__cause__
    is_confused = isinstance(cause, asyncpg.InternalClientError) and not isinstance(
        cause, asyncpg.OutdatedSchemaCacheError
    )
    return is_confused or engine.dialect.is_disconnect(error, connection, None)


async def _checked_out(engine: Engine) -> Any:
    # A connection that is idle is had without waiting, and without a greenlet to wait in; unless
    # the server is to be asked before whether it still answers.
    pool = engine.pool
    if isinstance(pool, QueuePool) and pool.checkedin() and not _asks_before(pool):
        with suppress(MissingGreenlet):
            return engine.raw_connection()
    return await greenlet_spawn(engine.raw_connection)


def _asks_before(pool: Any) -> bool:
    asks: bool = pool._pre_ping
    return asks


async def _give_back(engine: Engine, connection: Any) -> None:
    # There is no transaction to end: only a pool that has as many as it keeps closes it, and waits.
    pool = engine.pool
    if isinstance(pool, QueuePool) and pool.checkedin() < pool.size():
        connection.close()
    else:
        await greenlet_spawn(connection.close)


async def _run(connection: Any, sql: str, values: Sequence[Any]) -> Rows:
    try:
        rows: Rows = await _fetch(connection.driver_connection, sql, values)
    except (ValueError, OverflowError) as error:
        if not is_unreadable(error):
            raise
        statement = await connection.driver_connection.prepare(sql)
        columns = [(each.name, each.type.oid) for each in statement.get_attributes()]
        # `prepare` leaves an implicit transaction open, in which no other can begin.
        await connection.driver_connection.execute("SELECT 1")
        raise unreadable_value(columns) from error
    except Exception as error:  # the adapter knows which it has a name for
        connection.dbapi_connection._handle_exception(error)
        raise
    return rows


async def _fetch(driver: Any, sql: str, values: Sequence[Any]) -> Any:
    try:
        return await driver.fetch(sql, *values)
    except asyncpg.InternalServerError:
        # A cached statement may refer to a type that a migration has dropped. Nothing was stored.
        await driver.reload_schema_state()
    return await driver.fetch(sql, *values)


def _told(error: Exception, sql: str, engine: Engine, *, lost: bool) -> BaseException:
    told = DBAPIError.instance(
        sql,
        None,
        error,
        engine.dialect.loaded_dbapi.Error,
        hide_parameters=engine.hide_parameters,
        connection_invalidated=lost,
        dialect=engine.dialect,
    )
    if engine.hide_parameters:
        redact(error, told)
    return told


def _connect(dialect: Any, _record: Any, args: Any, kwargs: Any) -> Any:
    # Who only wants a connection that is idle, without waiting, asks again where it can wait.
    if not in_greenlet():
        raise MissingGreenlet
    # The driver reports a host that does not answer as a plain OSError, which could come from
    # anywhere; here it is still known to be the database.
    try:
        return dialect.connect(*args, **kwargs)
    except OSError as error:
        raise Unavailable("The database cannot be reached; try again in a moment.") from error


def _reconnect_after_driver_fault(context: ExceptionContext) -> None:
    # The driver has lost track of the connection: it broke at a moment when nothing was awaited. Or
    # it has closed a prepared statement of which a composite type has changed
    # (OutdatedSchemaCacheError), and SQLAlchemy would use it again.
    if isinstance(context.original_exception.__cause__, asyncpg.InternalClientError):
        context.is_disconnect = True


def _refuse_closed(connection: Any, _record: Any, _proxy: Any) -> None:
    # The event loop has already noticed a server that hung up: asking costs no round trip,
    # and the pool replaces the connection before the request sees it.
    if connection.driver_connection.is_closed():
        raise DisconnectionError
