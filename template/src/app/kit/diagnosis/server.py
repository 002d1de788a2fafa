"""Each server for itself: whether it answers, what it is, its clock, and who is in between."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.kit.db.base import now
from app.kit.db.settings import DatabaseSettings
from app.kit.db.waiting import address
from app.kit.diagnosis.findings import Finding, failure, ok, warning

# The oldest that PostgreSQL's own people still mend.
OLDEST = 15
# Seconds.
NOTICEABLE, UNBEARABLE = 1.0, 60.0

_FACTS = text("""
    SELECT current_setting('server_version') AS version,
           current_setting('server_version_num')::int / 10000 AS major,
           current_user AS role, current_database() AS name, pg_backend_pid() AS process,
           pg_is_in_recovery() AS repeats,
           CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
                ELSE pg_current_wal_lsn() END::text AS written
""")
_TIME = text("SELECT clock_timestamp()")


class Facts(NamedTuple):
    """What a server told of itself."""

    version: str
    major: int
    role: str
    name: str
    # It repeats what another one writes.
    repeats: bool
    # How far its log is: text that PostgreSQL compares.
    written: str
    # Seconds that its clock is ahead of ours.
    ahead: float
    # Somebody answers in its place.
    pooled: bool


async def ask(connection: AsyncConnection) -> Facts:
    """Ask a server for its facts."""
    told: Row[Any] = (await connection.execute(_FACTS)).one()
    before = now()
    theirs = await connection.scalar(_TIME)
    ours = before + (now() - before) / 2
    driver: Any = (await connection.get_raw_connection()).driver_connection
    return Facts(
        *(told.version, told.major, told.role, told.name, told.repeats, told.written),
        ahead=(theirs - ours).total_seconds(),
        # A pooler makes up the process that it names when a client connects.
        pooled=driver.get_server_pid() != told.process,
    )


def findings_of(facts: Facts, server: str, settings: DatabaseSettings) -> Iterator[Finding]:
    """What there is to say of a server by itself."""
    where = f"{address(settings.sqlalchemy_url)}/{facts.name} as {facts.role}"
    if facts.major < OLDEST:
        found = f"PostgreSQL {facts.version} at {where}, which is no longer mended"
        yield warning(server, found, f"upgrade it to {OLDEST} or newer")
    else:
        yield ok(server, f"PostgreSQL {facts.version} at {where}")
    yield clock(facts.ahead, server)
    yield pooler(settings, server, pooled=facts.pooled)


def clock(ahead: float, server: str) -> Finding:
    """Whether the times that the service writes fit those that the server writes."""
    about = "clock" if server == "database" else f"clock of {server}"
    if abs(ahead) < NOTICEABLE:
        return ok(about, f"the same as here, to {abs(ahead):.2f} s")
    found = f"{abs(ahead):.1f} s {'ahead of' if ahead > 0 else 'behind'} the one here"
    advice = "let both hosts follow a time server (NTP): keys and times are made by either"
    return (failure if abs(ahead) >= UNBEARABLE else warning)(about, found, advice)


def pooler(settings: DatabaseSettings, server: str, *, pooled: bool) -> Finding:
    """Whether DATABASE_POOLER says what is there."""
    about = "pooler" if server == "database" else f"pooler of {server}"
    match settings.pooler, pooled:
        case "none", False:
            return ok(about, "none, as DATABASE_POOLER says")
        case "none", _:
            found = "something like PgBouncer answers in place of PostgreSQL"
            advice = "set DATABASE_POOLER=pgbouncer, or name PostgreSQL itself in the URL"
            return failure(about, found, advice)
        case _, True:
            return ok(about, "there is one, as DATABASE_POOLER says; it must pool transactions")
        case _:
            found = "PostgreSQL itself answers, and each transaction connects anew"
            return warning(about, found, "set DATABASE_POOLER=none, or name PgBouncer in the URL")
