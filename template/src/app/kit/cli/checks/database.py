"""Checks of the database servers of the service."""

import asyncio
from collections.abc import AsyncIterator

from alembic.config import Config
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.kit.cli.checks.findings import Finding, failure, ok, warning
from app.kit.cli.checks.migrations import migration_checks
from app.kit.cli.checks.server import ServerInfo, fetch_server_info, server_checks
from app.kit.db.connections.connection_limits import available_connections, required_connections
from app.kit.db.connections.wait_for_database import address, probe_connection
from app.kit.db.engine import build_probe_engine
from app.kit.db.settings import DatabaseSettings
from app.kit.errors.problems import Unavailable

# Seconds for all queries of a server, beyond the time to connect.
_PATIENCE = 10
# Bytes. 16 MiB is one WAL file.
_FAR_BEHIND = 16 * 2**20

_BEHIND = text("SELECT pg_wal_lsn_diff(CAST(:written AS text)::pg_lsn, pg_last_wal_replay_lsn())")


async def run_checks(
    settings: DatabaseSettings, config: Config, service: str
) -> AsyncIterator[Finding]:
    """Check the database, and the replica and the migration connection if they are set."""
    primary: list[ServerInfo] = []
    async for finding in _examine(settings, config, "database", service, primary):
        yield finding
    if primary and primary[0].repeats:
        found = "a standby, which rejects writes"
        yield failure("database", found, "set DATABASE_URL to the primary")
    if settings.replica_url:
        at = settings.model_copy(update={"url": settings.replica_url})
        async for finding in _examine(at, config, "replica", service, primary):
            yield finding
    if settings.migration_url:
        yield await _migrations(settings, service)


async def _examine(
    settings: DatabaseSettings, config: Config, server: str, service: str, seen: list[ServerInfo]
) -> AsyncIterator[Finding]:
    # Connect as if through a pooler, which rejects startup parameters: the setting may be wrong.
    careful = settings.model_copy(update={"pooler": "pgbouncer"})
    engine = build_probe_engine(careful, service)
    if refusal := await probe_connection(engine):
        variable = "DATABASE_URL" if server == "database" else "DATABASE_REPLICA_URL"
        found = f"{address(settings.sqlalchemy_url)} cannot be reached: {refusal.reason}"
        yield failure(server, found, f"start it, or fix {variable}")
        return
    try:
        async with asyncio.timeout(_PATIENCE), engine.connect() as connection:
            facts = await fetch_server_info(connection)
            for finding in server_checks(facts, server, settings):
                yield finding
            if server == "replica":
                yield await _replica(connection, facts, seen)
            seen.append(facts)
            migrate, role = f"run `{service} migrate`", _migrating_role(settings)
            async for finding in migration_checks(connection, config, server, migrate, role):
                yield finding
            yield await _connections(connection, settings, server)
    except (SQLAlchemyError, Unavailable, OSError, TimeoutError) as error:
        found = f"it stopped responding ({type(error).__name__})"
        yield failure(server, found, "read the log of the server, then run this again")


async def _connections(
    connection: AsyncConnection, settings: DatabaseSettings, server: str
) -> Finding:
    about = "connections" if server == "database" else f"connections to {server}"
    each, most = required_connections(settings), await available_connections(connection)
    if not each:
        return ok(about, f"limited by the pooler: keep its pools below the {most} of the server")
    wanted = settings.processes * each
    found = f"{settings.processes} x {each} = {wanted} at most, the server allows {most}"
    if wanted <= most:
        return ok(about, found)
    return warning(about, found, "lower DATABASE_POOL_SIZE or DATABASE_PROCESSES, or use PgBouncer")


async def _replica(
    connection: AsyncConnection, facts: ServerInfo, seen: list[ServerInfo]
) -> Finding:
    if not facts.repeats:
        found = "not a standby: it receives no changes of the database"
        return failure("replication", found, "set DATABASE_REPLICA_URL to a standby, or unset it")
    if not seen:
        return warning(
            "replication",
            "not checked: the database could not be reached",
            "fix DATABASE_URL first",
        )
    behind = int(await connection.scalar(_BEHIND, {"written": seen[0].written}) or 0)
    if behind > _FAR_BEHIND:
        found = f"{behind // 2**20} MiB behind"
        return warning("replication", found, "reads return old rows: check the load of the standby")
    return ok("replication", f"{max(behind, 0)} bytes behind")


def _migrating_role(settings: DatabaseSettings) -> str | None:
    """Return the role of DATABASE_MIGRATION_URL, or None if it is not set."""
    return _migrating(settings).sqlalchemy_url.username if settings.migration_url else None


def _migrating(settings: DatabaseSettings) -> DatabaseSettings:
    return settings.model_copy(update={"url": settings.migration_url, "password": None})


async def _migrations(settings: DatabaseSettings, service: str) -> Finding:
    owner = _migrating(settings)
    where = address(owner.sqlalchemy_url)
    refusal = await probe_connection(build_probe_engine(owner, service))
    if refusal is None:
        return ok("migrations", f"{where} accepts the role")
    found = f"{where} cannot be reached: {refusal.reason}"
    return failure("migrations", found, "fix DATABASE_MIGRATION_URL; the service works without it")
