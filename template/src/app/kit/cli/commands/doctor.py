"""`doctor`: check everything that the service needs."""

import asyncio
from typing import Any

import typer
from alembic.script import ScriptDirectory
from sqlalchemy import Row
from sqlalchemy.exc import SQLAlchemyError

from app.kit.cli.checks import (
    Report,
    check_extensions,
    check_replication,
    check_revision,
    check_server,
    check_server_settings,
    required_extensions,
)
from app.kit.cli.development_database import configured_database_url
from app.kit.cli.service import get_service
from app.kit.db.connections.startup_checks import address, probe_connection
from app.kit.db.engine import build_probe_engine
from app.kit.db.settings import DatabaseSettings
from app.kit.errors.problems import Unavailable
from app.kit.migrations.runner import (
    CodeRevisions,
    RevisionTableUnreadable,
    alembic_config,
    applied_revisions,
    pending_revisions,
)
from app.kit.settings import KitSettings, SettingsError

commands = typer.Typer()

# Seconds for all queries of a server, after the connection.
_QUERY_TIMEOUT = 10


@commands.command()
def doctor(context: typer.Context) -> None:
    """Check configuration, database, schema, connections and clocks; report what to do.

    Changes nothing and prints no secret.
    Exits with 1 if a check fails. A warning is not a failure.
    """
    service, report = get_service(context), Report()
    try:
        asyncio.run(_check_all(report, service.settings.load(), service.name))
    except SettingsError as error:
        _, *problems, advice = str(error).splitlines()  # a heading, the variables, the advice
        for problem in problems:
            report.failure("configuration", problem.strip(), advice)
    if report.has_failure:
        raise typer.Exit(1)


async def _check_all(report: Report, settings: KitSettings, program: str) -> None:
    """Check the database, and the replica and the migration connection if they are set."""
    database = settings.database
    script = ScriptDirectory.from_config(alembic_config(settings))
    is_local = not configured_database_url(env_file=True)
    report.ok("configuration", "valid; the local database of `dev`" if is_local else "valid")
    if database.echo and not database.hide_parameters:
        result = "DATABASE_ECHO without DATABASE_HIDE_PARAMETERS logs the values of rows"
        advice = "set DATABASE_HIDE_PARAMETERS=true in production"
        report.warning("configuration", result, advice)
    primary = await _check(report, database, script, program)
    if primary and primary.is_standby:
        result = "a standby, which rejects writes"
        report.failure("database", result, "set DATABASE_URL to the primary")
    if database.replica_url:
        replica = database.for_reads()
        await _check(report, replica, script, program, server="replica", primary=primary)
    if database.migration_url:
        migration = database.for_migrations()
        where = address(migration.sqlalchemy_url)
        if failed := await probe_connection(build_probe_engine(migration, program)):
            result = f"{where} cannot be reached: {failed.reason}"
            advice = "fix DATABASE_MIGRATION_URL; the service works without it"
            report.failure("migrations", result, advice)
        else:
            report.ok("migrations", f"{where} accepts the role")


async def _check(
    report: Report,
    settings: DatabaseSettings,
    script: ScriptDirectory,
    program: str,
    *,
    server: str = "database",
    primary: Row[Any] | None = None,
) -> Row[Any] | None:
    """Check one server. Return its facts, or None if it does not respond."""
    # DATABASE_POOLER may be wrong. The settings for PgBouncer also work without it, but PgBouncer
    # rejects the startup parameters of a direct connection.
    engine = build_probe_engine(settings.model_copy(update={"pooler": "pgbouncer"}), program)
    where, facts = address(settings.sqlalchemy_url), None
    if failed := await probe_connection(engine):
        variable = "DATABASE_URL" if server == "database" else "DATABASE_REPLICA_URL"
        result = f"{where} cannot be reached: {failed.reason}"
        advice = f"fix {variable} or DATABASE_PASSWORD"
        if failed.is_temporary:
            advice = f"check that it is running and not overloaded, or {advice}"
        if server == "replica":
            advice += "; until then, reads get 503, and writes succeed"
        report.failure(server, result, advice)
        return None
    try:
        async with asyncio.timeout(_QUERY_TIMEOUT), engine.connect() as connection:
            facts = await check_server(report, connection, settings, server, where)
            if server == "replica":
                await check_replication(report, connection, settings, facts, primary)
            try:
                applied = await applied_revisions(connection)
            except RevisionTableUnreadable:
                applied = None
            code = CodeRevisions.of(script)
            check_revision(report, applied, code, server, program)
            if server == "database" and applied is not None:
                username = settings.for_migrations().sqlalchemy_url.username
                role = username if settings.migration_url else None
                needed = required_extensions(script.walk_revisions())
                # A database that is newer than the code has all migrations of the code.
                scripts = [] if code.is_compatible(applied) else pending_revisions(script, applied)
                pending = required_extensions(scripts)
                await check_extensions(report, connection, needed, pending, role)
            await check_server_settings(report, connection, settings, server)
    except (SQLAlchemyError, Unavailable, OSError, TimeoutError) as error:
        result = f"it stopped responding ({type(error).__name__})"
        report.failure(server, result, "read the log of the server, then run this again")
    return facts
