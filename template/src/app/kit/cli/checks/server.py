"""Checks of one server: its version, its clock, and the pooler in front of it."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.kit.cli.checks.findings import Finding, failure, ok, warning
from app.kit.db.base import utc_now
from app.kit.db.connections.wait_for_database import address
from app.kit.db.settings import DatabaseSettings

# The oldest major version that PostgreSQL still supports.
MIN_POSTGRES_VERSION = 15
# Seconds of difference between clocks: for a warning, and for a failure.
CLOCK_SKEW_WARNING, CLOCK_SKEW_FAILURE = 1.0, 60.0

_FACTS = text("""
    SELECT current_setting('server_version') AS version,
           current_setting('server_version_num')::int / 10000 AS major,
           current_user AS role, current_database() AS name, pg_backend_pid() AS process,
           pg_is_in_recovery() AS repeats,
           CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
                ELSE pg_current_wal_lsn() END::text AS written
""")
_TIME = text("SELECT clock_timestamp()")


class ServerInfo(NamedTuple):
    """Facts about a server."""

    version: str
    major: int
    role: str
    name: str
    # Whether it is a standby.
    repeats: bool
    # WAL position, as text that PostgreSQL can compare.
    written: str
    # Seconds by which its clock is ahead of this machine.
    ahead: float
    # Whether a pooler is in front of it.
    pooled: bool


async def fetch_server_info(connection: AsyncConnection) -> ServerInfo:
    """Query the facts of a server."""
    row: Row[Any] = (await connection.execute(_FACTS)).one()
    before = utc_now()
    theirs = await connection.scalar(_TIME)
    ours = before + (utc_now() - before) / 2
    driver: Any = (await connection.get_raw_connection()).driver_connection
    return ServerInfo(
        *(row.version, row.major, row.role, row.name, row.repeats, row.written),
        ahead=(theirs - ours).total_seconds(),
        # A pooler sends the client a process id that does not exist on the server.
        pooled=driver.get_server_pid() != row.process,
    )


def server_checks(facts: ServerInfo, server: str, settings: DatabaseSettings) -> Iterator[Finding]:
    """Yield the findings about one server."""
    where = f"{address(settings.sqlalchemy_url)}/{facts.name} as {facts.role}"
    if facts.major < MIN_POSTGRES_VERSION:
        found = f"PostgreSQL {facts.version} at {where}, which is no longer supported"
        yield warning(server, found, f"upgrade it to {MIN_POSTGRES_VERSION} or newer")
    else:
        yield ok(server, f"PostgreSQL {facts.version} at {where}")
    yield clock(facts.ahead, server)
    yield pooler(settings, server, pooled=facts.pooled)


def clock(ahead: float, server: str) -> Finding:
    """Compare the clock of this machine with the clock of the server. Both write timestamps."""
    about = "clock" if server == "database" else f"clock of {server}"
    if abs(ahead) < CLOCK_SKEW_WARNING:
        return ok(about, f"{abs(ahead):.2f} s from the clock of this machine")
    found = f"{abs(ahead):.1f} s {'ahead of' if ahead > 0 else 'behind'} the clock of this machine"
    advice = "synchronize both hosts (NTP): both generate primary keys and timestamps"
    return (failure if abs(ahead) >= CLOCK_SKEW_FAILURE else warning)(about, found, advice)


def pooler(settings: DatabaseSettings, server: str, *, pooled: bool) -> Finding:
    """Check whether DATABASE_POOLER matches the server."""
    about = "pooler" if server == "database" else f"pooler of {server}"
    match settings.pooler, pooled:
        case "none", False:
            return ok(about, "none, as DATABASE_POOLER says")
        case "none", _:
            found = "a pooler such as PgBouncer is in front of PostgreSQL"
            advice = "set DATABASE_POOLER=pgbouncer, or use the URL of PostgreSQL itself"
            return failure(about, found, advice)
        case _, True:
            return ok(about, "present, as DATABASE_POOLER says; it must run in transaction mode")
        case _:
            found = "no pooler found, so each transaction opens a connection"
            return warning(about, found, "set DATABASE_POOLER=none, or use the URL of PgBouncer")
