"""The one engine of a process."""

from typing import Any

from sqlalchemy import NullPool, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from app.kit.db.pool import driver_arguments, pool_arguments
from app.kit.db.settings import DatabaseSettings
from app.kit.errors import Unavailable


def build_engine(settings: DatabaseSettings, application_name: str) -> AsyncEngine:
    """Make the engine; it opens no connection before the first use."""
    return _build(settings, application_name, **pool_arguments(settings))


def build_migration_engine(settings: DatabaseSettings, application_name: str) -> AsyncEngine:
    """Make an engine for one run of migrations: no pool, and no limit on a statement's time."""
    unlimited = settings.model_copy(update={"statement_timeout": 0})
    return _build(unlimited, f"{application_name} migrate", poolclass=NullPool)


def _build(settings: DatabaseSettings, application_name: str, **pool: Any) -> AsyncEngine:
    engine = create_async_engine(
        settings.sqlalchemy_url,
        connect_args={
            "timeout": settings.connect_timeout,
            "server_settings": _server_settings(settings, application_name),
            **driver_arguments(settings),
        },
        echo=settings.echo,
        echo_pool=settings.echo_pool,
        hide_parameters=settings.hide_parameters,
        **pool,
    )
    event.listen(engine.sync_engine, "do_connect", _connect)
    event.listen(engine.sync_engine, "checkout", _refuse_closed)
    return engine


def _server_settings(settings: DatabaseSettings, application_name: str) -> dict[str, str]:
    name = {"application_name": (settings.application_name or application_name)[:63]}
    if settings.pooler == "pgbouncer":
        # It refuses the others at connect; set them on the role: ALTER ROLE … SET lock_timeout.
        return name
    return name | {
        "jit": "on" if settings.jit else "off",
        "statement_timeout": _milliseconds(settings.statement_timeout),
        "lock_timeout": _milliseconds(settings.lock_timeout),
        "idle_in_transaction_session_timeout": _milliseconds(settings.idle_in_transaction_timeout),
    }


def _milliseconds(seconds: float) -> str:
    return str(round(seconds * 1000))


def _connect(dialect: Any, _record: Any, args: Any, kwargs: Any) -> Any:
    # The driver reports a host that does not answer as a plain OSError, which could come from
    # anywhere; here it is still known to be the database.
    try:
        return dialect.connect(*args, **kwargs)
    except OSError as error:
        raise Unavailable("The database cannot be reached; try again in a moment.") from error


def _refuse_closed(connection: Any, _record: Any, _proxy: Any) -> None:
    # The event loop has already noticed a server that hung up: asking costs no round trip,
    # and the pool replaces the connection before the request sees it.
    if connection.driver_connection.is_closed():
        raise DisconnectionError
