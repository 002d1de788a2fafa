"""Checks of the migrations applied to a database, and of the extensions they need."""

import re
from collections.abc import AsyncIterator, Set
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.kit.cli.checks.findings import Finding, failure, ok, warning
from app.kit.migrations.status import (
    CodeRevisions,
    RevisionTableUnreadable,
    applied_revisions,
    format_revisions,
)

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
