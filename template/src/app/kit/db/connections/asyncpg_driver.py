"""Run single statements with asyncpg directly, on connections of SQLAlchemy's pool.

Each statement is its own transaction (autocommit). Pool limits, pool events and SQLAlchemy's
exceptions are the same as for a session.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import asyncpg
from sqlalchemy import ExceptionContext, QueuePool, event
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError, DisconnectionError, MissingGreenlet
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.util import greenlet_spawn
from sqlalchemy.util.concurrency import in_greenlet

from app.kit.db.connections.asyncpg_types import UnreadableValue, is_unreadable, unreadable_value
from app.kit.errors.problems import Unavailable
from app.kit.errors.redaction import redact

Rows = Sequence[Sequence[Any]]


if TYPE_CHECKING:
    _Connection = asyncpg.Connection[asyncpg.Record]
else:
    _Connection = asyncpg.Connection


class Connection(_Connection):
    """A connection that cancels a statement on the server when its task is cancelled."""

    def _clean_tasks(self) -> None:
        # The driver sends the request to cancel a statement in a separate task. If `terminate`
        # stopped this task, the statement would continue.
        pass


def replace_closed_connections(engine: Engine) -> None:
    """Replace closed connections, and raise `Unavailable` if the server cannot be reached."""
    event.listen(engine, "do_connect", _connect)
    event.listen(engine, "checkout", _reject_closed)
    event.listen(engine, "handle_error", _reconnect_after_driver_fault)


def replace_read_only_connections(engine: Engine) -> None:
    """Replace connections that reject writes, such as to the former primary after a failover."""
    event.listen(engine, "handle_error", _reconnect_if_read_only)


def _reconnect_if_read_only(context: ExceptionContext) -> None:
    if _is_read_only(context.original_exception) and context.connection:
        options = context.connection.get_execution_options()
        context.is_disconnect = not options.get("postgresql_readonly")


def has_listeners(engine: AsyncEngine) -> bool:
    """Return whether SQLAlchemy must run the statements: for echo, options or event listeners."""
    sync_engine = engine.sync_engine
    options = sync_engine.get_execution_options()
    return bool(sync_engine.echo or options or sync_engine.dispatch.before_cursor_execute)


async def fetch(engine: AsyncEngine, sql: str, values: Sequence[Any]) -> Rows:
    """Run a statement with positional parameters (`$1`), and return its rows."""
    sync_engine = engine.sync_engine
    connection: Any = None
    try:
        connection = await _check_out(sync_engine)
        return await _fetch_rows(connection, sql, values)
    except UnreadableValue:
        raise  # the connection stays usable
    except sync_engine.dialect.loaded_dbapi.Error as error:
        is_closed = sync_engine.dialect.is_disconnect
        lost = bool(connection) and (_is_unusable(error) or is_closed(error, connection, None))
        is_write_engine = event.contains(sync_engine, "handle_error", _reconnect_if_read_only)
        was_demoted = is_write_engine and _is_read_only(error)
        if connection and (lost or was_demoted):
            await greenlet_spawn(connection.invalidate, error)
        if was_demoted:
            message = "The database is read-only. Try again in a moment."
            raise Unavailable(message) from error.__cause__
        raise _sqlalchemy_error(error, sql, sync_engine, lost=lost) from error
    except BaseException:
        # A cancelled task leaves unread results on the connection.
        if connection:
            await greenlet_spawn(connection.invalidate)
        raise
    finally:
        if connection:
            await _check_in(sync_engine, connection)


async def wrap_driver_error(
    error: Exception, sql: str, connection: AsyncConnection
) -> BaseException:
    """Return the exception that a session raises for an error of asyncpg."""
    engine = connection.sync_engine
    adapter: Any = (await connection.get_raw_connection()).dbapi_connection
    try:
        # SQLAlchemy's adapter converts it.
        adapter._handle_exception(error)
    except engine.dialect.loaded_dbapi.Error as converted:
        lost = _is_unusable(converted) or adapter.driver_connection.is_closed()
        if lost:  # otherwise, a commit would succeed without the earlier statements
            await connection.invalidate(converted)
        return _sqlalchemy_error(converted, sql, engine, lost=lost)
    return error


def _is_read_only(error: BaseException) -> bool:
    return isinstance(error.__cause__, asyncpg.ReadOnlySQLTransactionError)


async def _check_out(engine: Engine) -> Any:
    # Checking out an idle connection needs no I/O and so no greenlet, except with pre-ping.
    pool = engine.pool
    if isinstance(pool, QueuePool) and pool.checkedin() and not cast("Any", pool)._pre_ping:
        with suppress(MissingGreenlet):
            return engine.raw_connection()
    return await greenlet_spawn(engine.raw_connection)


async def _check_in(engine: Engine, connection: Any) -> None:
    # A check-in needs I/O only if the pool is full and closes the connection.
    pool = engine.pool
    if isinstance(pool, QueuePool) and pool.checkedin() < pool.size():
        connection.close()
    else:
        await greenlet_spawn(connection.close)


async def _fetch_rows(connection: Any, sql: str, values: Sequence[Any]) -> Rows:
    try:
        rows: Rows = await _fetch_or_reload(connection.driver_connection, sql, values)
    except (ValueError, OverflowError) as error:
        if not is_unreadable(error):
            raise
        statement = await connection.driver_connection.prepare(sql)
        columns = [(each.name, each.type.oid) for each in statement.get_attributes()]
        # `prepare` leaves an implicit transaction open, in which BEGIN fails: end it.
        await connection.driver_connection.execute("SELECT 1")
        raise unreadable_value(columns) from error
    except Exception as error:  # SQLAlchemy's adapter converts the exceptions that it knows
        connection.dbapi_connection._handle_exception(error)
        raise
    return rows


async def _fetch_or_reload(driver: Any, sql: str, values: Sequence[Any]) -> Any:
    try:
        return await driver.fetch(sql, *values)
    except asyncpg.InternalServerError:
        # The cached statement may use a type that a migration dropped. After this error, nothing
        # is stored, so it is safe to send the statement again.
        await driver.reload_schema_state()
    return await driver.fetch(sql, *values)


def _sqlalchemy_error(error: Exception, sql: str, engine: Engine, *, lost: bool) -> BaseException:
    wrapped = DBAPIError.instance(
        sql,
        None,
        error,
        engine.dialect.loaded_dbapi.Error,
        hide_parameters=engine.hide_parameters,
        connection_invalidated=lost,
        dialect=engine.dialect,
    )
    if engine.hide_parameters:
        redact(error, wrapped)
    return wrapped


def _connect(dialect: Any, _record: Any, args: Any, kwargs: Any) -> Any:
    # Opening a connection needs a greenlet. `_check_out` then tries again in a greenlet.
    if not in_greenlet():
        raise MissingGreenlet
    # The driver raises a plain OSError for an unreachable host. Convert it here, where its source
    # is known.
    try:
        return dialect.connect(*args, **kwargs)
    except OSError as error:
        raise Unavailable("The database cannot be reached. Try again in a moment.") from error


def _reconnect_after_driver_fault(context: ExceptionContext) -> None:
    if _is_unusable(context.original_exception):
        context.is_disconnect = True


def _is_unusable(error: BaseException) -> bool:
    # InternalClientError: the connection dropped between two reads, so the driver's state is
    # invalid, but the driver reports an open connection. OutdatedSchemaCacheError is a subclass: a
    # composite type changed, and the driver closed a prepared statement that it would use again.
    return isinstance(error.__cause__, asyncpg.InternalClientError)


def _reject_closed(connection: Any, _record: Any, _proxy: Any) -> None:
    # The event loop knows without a round trip whether the server closed the connection. The driver
    # keeps a transaction whose BEGIN failed, and would send SAVEPOINT instead of the next BEGIN.
    # After a DisconnectionError, the pool opens a new connection.
    driver = connection.driver_connection
    if driver.is_closed() or driver._top_xact:
        raise DisconnectionError
