"""Checks of `doctor`."""

import re
from collections.abc import Iterable, Set
from pathlib import Path
from typing import Any

from alembic.script import Script
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.kit.db.connections.startup_checks import Finding
from app.kit.db.settings import DatabaseSettings
from app.kit.migrations.runner import CodeRevisions, format_revisions

# The oldest major version that PostgreSQL still supports.
MIN_POSTGRES_VERSION = 15
# Seconds of difference between clocks: for a warning, and for a failure.
CLOCK_SKEW_WARNING, CLOCK_SKEW_FAILURE = 1.0, 60.0
# Bytes. 16 MiB is one WAL file.
_MAX_REPLICATION_LAG = 16 * 2**20

FACTS = text("""
    SELECT current_setting('server_version') AS version,
           current_setting('server_version_num')::int / 10000 AS major_version,
           current_user AS role, current_database() AS database, pg_backend_pid() AS process_id,
           pg_is_in_recovery() AS is_standby,
           (SELECT bool_and(NOT has_table_privilege(oid, 'INSERT')) FROM pg_class
             WHERE relkind IN ('r', 'p') AND relname = ANY (CAST(:tables AS text[])))
               AS is_read_only,
           CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
                ELSE pg_current_wal_lsn() END::text AS wal_position
""")
TIME = text("SELECT clock_timestamp()")
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


class Failure(Finding):
    """A finding that prevents the service from working. Any other with advice is a warning."""


def check_server(facts: Row[Any], where: str, server: str) -> Finding:
    """Check the version of a server."""
    text = f"PostgreSQL {facts.version} at {where}/{facts.database} as {facts.role}"
    if facts.major_version < MIN_POSTGRES_VERSION:
        advice = f"upgrade it to {MIN_POSTGRES_VERSION} or newer"
        return Finding(server, f"{text}, which is no longer supported", advice)
    return Finding(server, text)


def check_writes(facts: Row[Any]) -> Finding | None:
    """Check whether the primary accepts the writes of the role."""
    if facts.is_standby:
        text = "a standby, which rejects writes"
        return Failure("database", text, "set DATABASE_URL to the primary")
    if facts.is_read_only:
        advice = "set DATABASE_URL to a role with the privileges that docs/database.md lists"
        return Failure("database", f"{facts.role} may not insert rows into any table", advice)
    return None


def check_clock(skew: float) -> Finding:
    """Check the seconds by which the clock of a server is ahead. Both machines write timestamps."""
    if abs(skew) < CLOCK_SKEW_WARNING:
        return Finding("clock", f"{abs(skew):.2f} s from the clock of this machine")
    text = f"{abs(skew):.1f} s {'ahead of' if skew > 0 else 'behind'} the clock of this machine"
    advice = "synchronize both hosts (NTP): both generate primary keys and timestamps"
    kind = Failure if abs(skew) >= CLOCK_SKEW_FAILURE else Finding
    return kind("clock", text, advice)


def check_pooler(settings: DatabaseSettings, *, is_pooled: bool) -> Finding:
    """Check whether DATABASE_POOLER matches the server."""
    match settings.pooler, is_pooled:
        case "none", False:
            return Finding("pooler", "none, as DATABASE_POOLER says")
        case "none", _:
            advice = "set DATABASE_POOLER=pgbouncer, or use the URL of PostgreSQL itself"
            return Failure("pooler", "a pooler such as PgBouncer is in front of PostgreSQL", advice)
        case _, True:
            text = "present, as DATABASE_POOLER says; it must run in transaction mode"
            return Finding("pooler", text)
        case _:
            text = "no pooler found, so each transaction opens a connection"
            return Finding("pooler", text, "set DATABASE_POOLER=none, or use the URL of PgBouncer")


async def check_replication(
    connection: AsyncConnection,
    settings: DatabaseSettings,
    facts: Row[Any],
    primary: Row[Any] | None,
) -> Finding:
    """Check whether a replica follows the primary, which is None if it is unreachable."""
    accepts_primary = settings.sqlalchemy_url.query.get("target_session_attrs") == "prefer-standby"
    if not facts.is_standby and accepts_primary:
        text = "no standby accepts connections, so reads use another server"
        return Finding("replication", text, "check that the standby is running")
    if not facts.is_standby:
        text = "not a standby: it receives no changes of the database"
        return Failure("replication", text, "set DATABASE_REPLICA_URL to a standby, or unset it")
    if not primary:
        text = "not checked: the database could not be reached"
        return Finding("replication", text, "fix DATABASE_URL first")
    lag = int(await connection.scalar(_LAG, {"primary": primary.wal_position}) or 0)
    if lag > _MAX_REPLICATION_LAG:
        advice = "reads return old rows: check the load of the standby"
        return Finding("replication", f"{lag // 2**20} MiB behind", advice)
    return Finding("replication", f"{max(lag, 0)} bytes behind")


def check_revision(applied: Set[str], code: CodeRevisions, program: str) -> Finding:
    """Compare the migrations applied to a database with those of the code."""
    current, required = format_revisions(applied), format_revisions(code.heads)
    if len(code.heads) > 1:
        advice = "merge them: alembic merge heads -m 'merge two branches'"
        return Failure("revision", f"the migrations have multiple heads: {required}", advice)
    if applied == code.heads:
        return Finding("revision", f"{current}, as the code requires")
    if code.is_compatible(applied):
        advice = "expected during a release; otherwise deploy the code that has this migration"
        return Finding("revision", f"{current}, newer than the {required} of the code", advice)
    text = f"the schema is at {current}, the code requires {required}"
    return Failure("revision", text, f"run `{program} migrate`")


def required_extensions(migrations: Iterable[Script]) -> set[str]:
    """Return the extensions that migrations create."""
    return {
        name
        for migration in migrations
        for name in _CREATE_EXTENSION.findall(Path(migration.path).read_text(encoding="utf-8"))
    }


async def check_extensions(
    connection: AsyncConnection, needed: Set[str], pending: Set[str], role: str | None
) -> Finding:
    """Check whether the database has the extensions, or the role for migrations may create them.

    `pending` are those of pending migrations. `role` is None if the connected role runs them.
    """
    available = {row.name: row for row in await connection.execute(_EXTENSIONS, {"role": role})}
    if unavailable := sorted(needed - available.keys()):
        text = f"the server does not have {', '.join(unavailable)}"
        advice = "install it on the host of the server (most are in postgresql-contrib)"
        kind = Finding if pending.isdisjoint(unavailable) else Failure
        return kind("extensions", text, advice)
    missing = [name for name in sorted(needed) if not available[name].is_created]
    if forbidden := [name for name in missing if available[name].may_create is False]:
        text = f"{', '.join(forbidden)}: on the server, but the migrating role may not create it"
        return Finding("extensions", text, "run CREATE EXTENSION in the database as administrator")
    if missing:
        text = f"{', '.join(missing)}: on the server, but not in the database yet"
        return Finding("extensions", text, "run migrate; if that is done, run CREATE EXTENSION")
    present = f"{', '.join(sorted(needed))}: all present"
    return Finding("extensions", present if needed else "no migration needs one")
