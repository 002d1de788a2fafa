"""Checks of `doctor`. Each one prints its result."""

import re
from collections.abc import Iterable, Set
from pathlib import Path
from typing import Any

import typer
from alembic.script import Script
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.kit.db.base import utc_now
from app.kit.db.connections import startup_checks
from app.kit.db.settings import DatabaseSettings
from app.kit.migrations.runner import CodeRevisions, format_revisions

# The oldest major version that PostgreSQL still supports.
MIN_POSTGRES_VERSION = 15
# Seconds of difference between clocks: for a warning, and for a failure.
CLOCK_SKEW_WARNING, CLOCK_SKEW_FAILURE = 1.0, 60.0
# Bytes. 16 MiB is one WAL file.
_MAX_REPLICATION_LAG = 16 * 2**20

_FACTS = text("""
    SELECT current_setting('server_version') AS version,
           current_setting('server_version_num')::int / 10000 AS major_version,
           current_user AS role, current_database() AS database, pg_backend_pid() AS process_id,
           pg_is_in_recovery() AS is_standby,
           CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
                ELSE pg_current_wal_lsn() END::text AS wal_position
""")
_TIME = text("SELECT clock_timestamp()")
_LAG = text("SELECT pg_wal_lsn_diff(CAST(:primary AS text)::pg_lsn, pg_last_wal_replay_lsn())")
_CREATE_EXTENSION = re.compile(r"CREATE EXTENSION (?:IF NOT EXISTS )?\"?([\w-]+)", re.IGNORECASE)
# The extensions on the server: whether the database has them, and whether the role may create them.
# `may_create` is NULL if the role has another name on the server, as with some providers.
_EXTENSIONS = text("""
    SELECT extension.name, extension.installed_version IS NOT NULL AS is_created,
           (SELECT role.rolsuper OR (version.trusted OR NOT version.superuser)
                   AND has_database_privilege(role.oid, current_database(), 'CREATE')
              FROM pg_roles AS role
             WHERE role.rolname = coalesce(CAST(:role AS text), current_user)) AS may_create
      FROM pg_available_extensions AS extension
      JOIN pg_available_extension_versions AS version
        ON version.name = extension.name AND version.version = extension.default_version
""")


class Report:
    """Prints the result of each check. Callers pass no secrets."""

    has_failure = False

    def ok(self, check: str, result: str) -> None:
        """Print a result that needs no action."""
        _print("ok", "green", check, result)

    def warning(self, check: str, result: str, advice: str) -> None:
        """Print a problem that may cause a failure later."""
        _print("warning", "yellow", check, result, advice)

    def failure(self, check: str, result: str, advice: str) -> None:
        """Print a problem that stops the service."""
        self.has_failure = True
        _print("failure", "red", check, result, advice)


def _print(status: str, color: str, check: str, result: str, advice: str | None = None) -> None:
    typer.echo(f"{typer.style(f'{status:<9}', fg=color)}{check}: {result}")
    if advice:
        typer.echo(f"{'':9}-> {advice}")


async def check_server(
    report: Report, connection: AsyncConnection, settings: DatabaseSettings, server: str, where: str
) -> Row[Any]:
    """Check version, clock and pooler of a server. Return its facts."""
    facts = (await connection.execute(_FACTS)).one()
    result = f"PostgreSQL {facts.version} at {where}/{facts.database} as {facts.role}"
    if facts.major_version < MIN_POSTGRES_VERSION:
        advice = f"upgrade it to {MIN_POSTGRES_VERSION} or newer"
        report.warning(server, f"{result}, which is no longer supported", advice)
    else:
        report.ok(server, result)
    before = utc_now()
    server_time = await connection.scalar(_TIME)
    local_time = before + (utc_now() - before) / 2
    check_clock(report, (server_time - local_time).total_seconds(), server)
    driver: Any = (await connection.get_raw_connection()).driver_connection
    # A pooler sends the client a process id that does not exist on the server.
    is_pooled = driver.get_server_pid() != facts.process_id
    check_pooler(report, settings, server, is_pooled=is_pooled)
    return facts


def check_clock(report: Report, skew: float, server: str) -> None:
    """Check the seconds by which the clock of a server is ahead. Both machines write timestamps."""
    check = "clock" if server == "database" else f"clock of {server}"
    if abs(skew) < CLOCK_SKEW_WARNING:
        report.ok(check, f"{abs(skew):.2f} s from the clock of this machine")
        return
    result = f"{abs(skew):.1f} s {'ahead of' if skew > 0 else 'behind'} the clock of this machine"
    advice = "synchronize both hosts (NTP): both generate primary keys and timestamps"
    add = report.failure if abs(skew) >= CLOCK_SKEW_FAILURE else report.warning
    add(check, result, advice)


def check_pooler(
    report: Report, settings: DatabaseSettings, server: str, *, is_pooled: bool
) -> None:
    """Check whether DATABASE_POOLER matches the server."""
    check = "pooler" if server == "database" else f"pooler of {server}"
    match settings.pooler, is_pooled:
        case "none", False:
            report.ok(check, "none, as DATABASE_POOLER says")
        case "none", _:
            result = "a pooler such as PgBouncer is in front of PostgreSQL"
            advice = "set DATABASE_POOLER=pgbouncer, or use the URL of PostgreSQL itself"
            report.failure(check, result, advice)
        case _, True:
            report.ok(check, "present, as DATABASE_POOLER says; it must run in transaction mode")
        case _:
            result = "no pooler found, so each transaction opens a connection"
            report.warning(check, result, "set DATABASE_POOLER=none, or use the URL of PgBouncer")


async def check_replication(
    report: Report,
    connection: AsyncConnection,
    settings: DatabaseSettings,
    facts: Row[Any],
    primary: Row[Any] | None,
) -> None:
    """Check whether a replica follows the primary, which is None if it is unreachable."""
    accepts_primary = settings.sqlalchemy_url.query.get("target_session_attrs") == "prefer-standby"
    if not facts.is_standby and accepts_primary:
        result = "no standby accepts connections, so reads use another server"
        report.warning("replication", result, "check that the standby is running")
    elif not facts.is_standby:
        result = "not a standby: it receives no changes of the database"
        advice = "set DATABASE_REPLICA_URL to a standby, or unset it"
        report.failure("replication", result, advice)
    elif not primary:
        result = "not checked: the database could not be reached"
        report.warning("replication", result, "fix DATABASE_URL first")
    else:
        lag = int(await connection.scalar(_LAG, {"primary": primary.wal_position}) or 0)
        if lag > _MAX_REPLICATION_LAG:
            advice = "reads return old rows: check the load of the standby"
            report.warning("replication", f"{lag // 2**20} MiB behind", advice)
        else:
            report.ok("replication", f"{max(lag, 0)} bytes behind")


def check_revision(
    report: Report, applied: Set[str] | None, code: CodeRevisions, server: str, program: str
) -> None:
    """Compare the migrations applied to a database with those of the code.

    `applied` is None if the role may not read them.
    """
    check = "revision" if server == "database" else f"revision of {server}"
    if applied is None:
        result = "the role of the service may not read alembic_version"
        advice = "as the owner: GRANT SELECT ON alembic_version TO the role"
        report.failure(check, result, advice)
        return
    current, required = format_revisions(applied), format_revisions(code.heads)
    if len(code.heads) > 1:
        advice = "merge them: alembic merge heads -m 'merge two branches'"
        report.failure(check, f"the migrations have multiple heads: {required}", advice)
    elif applied == code.heads:
        report.ok(check, f"{current}, as the code requires")
    elif code.is_compatible(applied):
        advice = "expected during a release; otherwise deploy the code that has this migration"
        report.warning(check, f"{current}, newer than the {required} of the code", advice)
    else:
        result = f"the schema is at {current}, the code requires {required}"
        report.failure(check, result, f"run `{program} migrate`")


def required_extensions(migrations: Iterable[Script]) -> set[str]:
    """Return the extensions that migrations create."""
    return {
        name
        for migration in migrations
        for name in _CREATE_EXTENSION.findall(Path(migration.path).read_text(encoding="utf-8"))
    }


async def check_extensions(
    report: Report,
    connection: AsyncConnection,
    needed: Set[str],
    pending: Set[str],
    role: str | None,
) -> None:
    """Check whether the database has the extensions, or the role for migrations may create them.

    `pending` are those of pending migrations. `role` is None if this role runs the migrations.
    """
    available = {row.name: row for row in await connection.execute(_EXTENSIONS, {"role": role})}
    unavailable = sorted(needed - available.keys())
    not_created = [
        name for name in sorted(needed) if name in available and not available[name].is_created
    ]
    forbidden = [name for name in not_created if available[name].may_create is False]
    if unavailable:
        result = f"the server does not have {', '.join(unavailable)}"
        advice = "install it on the host of the server (most are in postgresql-contrib)"
        add = report.warning if pending.isdisjoint(unavailable) else report.failure
        add("extensions", result, advice)
    elif forbidden:
        result = f"{', '.join(forbidden)}: on the server, but the migrating role may not create it"
        advice = "run CREATE EXTENSION in the database as administrator"
        report.warning("extensions", result, advice)
    elif not_created:
        result = f"{', '.join(not_created)}: on the server, but not in the database yet"
        report.warning("extensions", result, "run migrate; if that is done, run CREATE EXTENSION")
    else:
        present = f"{', '.join(sorted(needed))}: all present"
        report.ok("extensions", present if needed else "no migration needs one")


async def check_server_settings(
    report: Report, connection: AsyncConnection, settings: DatabaseSettings, server: str
) -> None:
    """Report the findings that the service logs at startup, too."""
    for found in await startup_checks.check_server_settings(connection, settings):
        check = found.check if server == "database" else f"{found.check} of {server}"
        if found.advice:
            report.warning(check, found.result, found.advice)
        else:
            report.ok(check, found.result)
