"""Checks of `doctor`: servers, clocks, poolers, migrations and extensions."""

import re
from collections.abc import AsyncIterator, Iterator, Set
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.kit.db.base import utc_now
from app.kit.db.connections.startup_checks import address
from app.kit.db.settings import DatabaseSettings
from app.kit.migrations.runner import (
    CodeRevisions,
    RevisionTableUnreadable,
    applied_revisions,
    format_revisions,
)

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
_CREATED = re.compile(r"CREATE EXTENSION (?:IF NOT EXISTS )?\"?([\w-]+)", re.IGNORECASE)
# The extensions of the server: whether the database has them, and whether the role may create them.
# `may_be_created` is NULL if the role has another name on the server, as with some providers.
_EXTENSIONS = text("""
    SELECT offered.name, offered.installed_version IS NOT NULL AS is_there,
           (SELECT role.rolsuper OR (version.trusted OR NOT version.superuser)
                   AND has_database_privilege(role.oid, current_database(), 'CREATE')
              FROM pg_roles AS role
             WHERE role.rolname = coalesce(CAST(:role AS text), current_user)) AS may_be_created
      FROM pg_available_extensions AS offered
      JOIN pg_available_extension_versions AS version
        ON version.name = offered.name AND version.version = offered.default_version
""")


class CheckStatus(StrEnum):
    """The result of a check."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


class Finding(NamedTuple):
    """The result of one check, with advice unless it is ok. It contains no secret."""

    state: CheckStatus
    about: str
    found: str
    advice: str = ""


def ok(about: str, found: str) -> Finding:
    """Return a finding that needs no action."""
    return Finding(CheckStatus.OK, about, found)


def warning(about: str, found: str, advice: str) -> Finding:
    """Return a finding for a problem that may cause a failure later."""
    return Finding(CheckStatus.WARNING, about, found, advice)


def failure(about: str, found: str, advice: str) -> Finding:
    """Return a finding for a problem that stops the service."""
    return Finding(CheckStatus.FAILURE, about, found, advice)


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


async def migration_checks(
    connection: AsyncConnection, config: Config, server: str, migrate: str, role: str | None
) -> AsyncIterator[Finding]:
    """Compare the migrations of a database with the code.

    `migrate` is the command for the advice. `role` is the role that runs migrations, if it is not
    the role of the service.
    """
    about = "revision" if server == "database" else f"revision of {server}"
    script = ScriptDirectory.from_config(config)
    known = {each.revision: Path(each.path) for each in script.walk_revisions()}
    code = CodeRevisions(heads=frozenset(script.get_heads()), known=frozenset(known))
    try:
        applied = await applied_revisions(connection)
    except RevisionTableUnreadable:
        found = "the role of the service may not read alembic_version"
        yield failure(about, found, "as the owner: GRANT SELECT ON alembic_version TO the role")
        return
    yield revision(applied, code, about, migrate)
    if server == "database":
        yield await _extensions(connection, applied, known, role)


def revision(applied: Set[str], code: CodeRevisions, about: str, migrate: str) -> Finding:
    """Compare the migrations applied to a database with those of the code."""
    is_at, needed = format_revisions(applied), format_revisions(code.heads)
    if len(code.heads) > 1:
        advice = "merge them: alembic merge heads -m 'merge two branches'"
        return failure(about, f"the migrations have multiple heads: {needed}", advice)
    if applied == code.heads:
        return ok(about, f"{is_at}, as the code requires")
    if code.is_compatible(applied):
        advice = "expected during a release; otherwise deploy the code that has this migration"
        return warning(about, f"{is_at}, newer than the {needed} of the code", advice)
    return failure(about, f"the schema is at {is_at}, the code requires {needed}", migrate)


async def _extensions(
    connection: AsyncConnection, applied: Set[str], known: dict[str, Path], role: str | None
) -> Finding:
    needed = {
        name: each
        for each, path in known.items()
        for name in _CREATED.findall(path.read_text(encoding="utf-8"))
    }
    if not needed:
        return ok("extensions", "no migration needs one")
    offered = {row.name: row for row in await connection.execute(_EXTENSIONS, {"role": role})}
    missing = sorted(name for name in needed if name not in offered)
    if missing:
        found = f"the server does not have {', '.join(missing)}"
        advice = "install it on the host of the server (most are in postgresql-contrib)"
        done = all(needed[name] in applied for name in missing)
        return (warning if done else failure)("extensions", found, advice)
    left_out = sorted(name for name in needed if not offered[name].is_there)
    if refused := [name for name in left_out if offered[name].may_be_created is False]:
        found = f"{', '.join(refused)}: on the server, but the migrating role may not create it"
        return warning("extensions", found, "run CREATE EXTENSION in the database as administrator")
    if left_out:
        found = f"{', '.join(left_out)}: on the server, but not in the database yet"
        return warning("extensions", found, "run migrate; if that is done, run CREATE EXTENSION")
    return ok("extensions", f"{', '.join(sorted(needed))}: all present")
