"""The engines of a process: primary, read-only, migrations, and readiness checks."""

import json
from functools import partial
from typing import Any

from pydantic_core import to_jsonable_python
from sqlalchemy import Connection, NullPool, event, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from app.kit.db.connections.asyncpg_driver import (
    replace_closed_connections,
    replace_read_only_connections,
)
from app.kit.db.connections.asyncpg_types import check_values
from app.kit.db.current_user import CONNECTION_CLASS
from app.kit.db.pool import driver_arguments, pool_arguments
from app.kit.db.settings import DatabaseSettings
from app.kit.errors.redaction import hide_values
from app.kit.queries.compiled.json_sql import parse_json

# asyncpg compares read-write and read-only with default_transaction_read_only. The read-only engine
# sets this itself, so `read-write` would match no server and `read-only` every server.
_SERVER_ROLES = {"read-write": "primary", "read-only": "standby"}
_SET_LOCAL = text("SELECT set_config(:name, :value, true)")


def build_engine(settings: DatabaseSettings, application_name: str) -> AsyncEngine:
    """Create the engine for the primary. It connects at its first use."""
    engine = _build(settings, application_name, **pool_arguments(settings))
    replace_read_only_connections(engine.sync_engine)
    return engine


def build_read_engine(settings: DatabaseSettings, application_name: str) -> AsyncEngine:
    """Create the read-only engine, on the replica if one is configured.

    PostgreSQL rejects writes on it.
    """
    pool, settings = pool_arguments(settings), settings.for_reads()
    if settings.pooler == "pgbouncer":
        return read_only(_build(settings, application_name, **pool))
    # Without BEGIN and COMMIT, a read is a single round trip.
    return _build(settings, application_name, reads=True, isolation_level="AUTOCOMMIT", **pool)


def read_only(engine: AsyncEngine) -> AsyncEngine:
    """Return an engine with the same pool, whose transactions are READ ONLY."""
    return engine.execution_options(postgresql_readonly=True)


def build_migration_engine(settings: DatabaseSettings, application_name: str) -> AsyncEngine:
    """Create the engine for migrations, without a pool and without a statement timeout."""
    without_limits = {"statement_timeout": 0, "idle_in_transaction_timeout": 0}
    settings = settings.for_migrations().model_copy(update=without_limits)
    engine = _build(settings, application_name, purpose="migrate", poolclass=NullPool)
    if settings.pooler == "pgbouncer":
        event.listen(engine.sync_engine, "begin", partial(_limit_transaction, settings))
    return engine


def _limit_transaction(settings: DatabaseSettings, connection: Connection) -> None:
    # PgBouncer rejects these settings at connect, so the limits of the role would apply.
    for name, value in _limits(settings).items():
        connection.execute(_SET_LOCAL, {"name": name, "value": value})


def build_probe_engine(settings: DatabaseSettings, application_name: str) -> AsyncEngine:
    """Create the engine of the readiness check, which opens a new connection for each check."""
    # In autocommit, a pooler may send the messages of one statement to different connections.
    pooled = settings.pooler == "pgbouncer"
    options: dict[str, Any] = {} if pooled else {"isolation_level": "AUTOCOMMIT"}
    return _build(settings, application_name, purpose="readiness", poolclass=NullPool, **options)


def _build(
    settings: DatabaseSettings,
    application_name: str,
    *,
    purpose: str = "",
    reads: bool = False,
    **options: Any,
) -> AsyncEngine:
    suffix = f" {purpose}" if purpose else ""
    name = (settings.application_name or application_name)[: 63 - len(suffix)] + suffix
    url, server_settings = settings.sqlalchemy_url, {"application_name": name}
    if reads and (role := _SERVER_ROLES.get(str(url.query.get("target_session_attrs")))):
        url = url.update_query_dict({"target_session_attrs": role})
    # PgBouncer rejects other settings. Set them with ALTER ROLE … SET lock_timeout.
    if settings.pooler != "pgbouncer":
        server_settings |= {
            "default_transaction_read_only": "on" if reads else "off",
            "jit": "on" if settings.jit else "off",
            **_limits(settings),
        }
    engine = create_async_engine(
        url,
        connect_args={
            "timeout": settings.connect_timeout,
            "server_settings": server_settings,
            "connection_class": CONNECTION_CLASS,
            **driver_arguments(settings),
        },
        echo=settings.echo,
        echo_pool=settings.echo_pool,
        hide_parameters=settings.hide_parameters,
        # Serializes Pydantic models, dates and Decimal too.
        json_serializer=partial(json.dumps, default=to_jsonable_python),
        json_deserializer=parse_json,
        **options,
    )
    check_values(engine.sync_engine)
    replace_closed_connections(engine.sync_engine)
    if settings.hide_parameters:
        event.listen(engine.sync_engine, "handle_error", hide_values)
    return engine


def _limits(settings: DatabaseSettings) -> dict[str, str]:
    seconds = {
        "statement_timeout": settings.statement_timeout,
        "lock_timeout": settings.lock_timeout,
        "idle_in_transaction_session_timeout": settings.idle_in_transaction_timeout,
    }
    return {name: f"{limit * 1000:.0f}" for name, limit in seconds.items()}
