"""`doctor`: check everything that the service needs."""

import asyncio
from typing import Any

import typer
from sqlalchemy import Row
from sqlalchemy.exc import SQLAlchemyError

from app.kit.cli import checks
from app.kit.cli.checks import Failure
from app.kit.cli.development_database import configured_database_url
from app.kit.cli.service import get_service
from app.kit.db.base import Base, utc_now
from app.kit.db.connections.startup_checks import (
    Finding,
    address,
    check_server_settings,
    probe_connection,
)
from app.kit.db.engine import build_probe_engine
from app.kit.db.settings import DatabaseSettings
from app.kit.errors.problems import Unavailable
from app.kit.migrations.runner import (
    CodeRevisions,
    RevisionTableUnreadable,
    applied_revisions,
    pending_revisions,
    script_directory,
)
from app.kit.settings import KitSettings, SettingsError

commands = typer.Typer()

# Seconds for all queries of a server, after the connection.
_QUERY_TIMEOUT = 10


class _Report:
    has_failure = False

    def add(self, found: Finding | None, suffix: str = "") -> None:
        """Print a finding."""
        if found is None:
            return
        status, color = ("warning", "yellow") if found.advice else ("ok", "green")
        if isinstance(found, Failure):
            status, color, self.has_failure = "failure", "red", True
        styled = typer.style(f"{status:<9}", fg=color)
        typer.echo(f"{styled}{found.check}{suffix}: {found.result}")
        if found.advice:
            typer.echo(f"{'':9}-> {found.advice}")


@commands.command()
def doctor(context: typer.Context) -> None:
    """Check configuration, database, schema, connections and clocks; report what to do.

    Changes nothing and prints no secret.
    Exits with 1 if a check fails. A warning is not a failure.
    """
    service, report = get_service(context), _Report()
    try:
        asyncio.run(_check_all(report, service.settings.load(), service.name))
    except SettingsError as error:
        _, *problems, advice = str(error).splitlines()  # a heading, the variables, the advice
        for problem in problems:
            report.add(Failure("configuration", problem.strip(), advice))
    if report.has_failure:
        raise typer.Exit(1)


async def _check_all(report: _Report, settings: KitSettings, program: str) -> None:
    """Check the database, and the replica and the migration connection if they are set."""
    database = settings.database
    valid = "valid" if configured_database_url() else "valid; the local database of `dev`"
    report.add(Finding("configuration", valid))
    if database.echo and not database.hide_parameters:
        text = "DATABASE_ECHO without DATABASE_HIDE_PARAMETERS logs the values of rows"
        advice = "set DATABASE_HIDE_PARAMETERS=true in production"
        report.add(Finding("configuration", text, advice))
    primary = await _check_server(report, database, program)
    if database.replica_url:
        await _check_server(report, database.for_reads(), program, "replica", primary)
    if database.migration_url:
        migration = database.for_migrations()
        where = address(migration.sqlalchemy_url)
        found = Finding("migrations", f"{where} accepts the role")
        if failed := await probe_connection(build_probe_engine(migration, program)):
            advice = "fix DATABASE_MIGRATION_URL; the service works without it"
            found = Failure("migrations", f"{where} cannot be reached: {failed.reason}", advice)
        report.add(found)


async def _check_server(
    report: _Report,
    settings: DatabaseSettings,
    program: str,
    server: str = "database",
    primary: Row[Any] | None = None,
) -> Row[Any] | None:
    """Check one server. Return its facts, or None if it does not respond."""
    # DATABASE_POOLER may be wrong. The settings for PgBouncer also work without it, but PgBouncer
    # rejects the startup parameters of a direct connection.
    engine = build_probe_engine(settings.model_copy(update={"pooler": "pgbouncer"}), program)
    where, facts = address(settings.sqlalchemy_url), None
    is_replica = server == "replica"
    suffix = " of replica" if is_replica else ""
    if failed := await probe_connection(engine):
        variable = "DATABASE_REPLICA_URL" if is_replica else "DATABASE_URL"
        advice = f"fix {variable} or DATABASE_PASSWORD"
        if failed.is_temporary:
            advice = f"check that it is running and not overloaded, or {advice}"
        if is_replica:
            advice += "; until then, reads get 503, and writes succeed"
        report.add(Failure(server, f"{where} cannot be reached: {failed.reason}", advice))
        return None
    try:
        async with asyncio.timeout(_QUERY_TIMEOUT), engine.connect() as connection:
            tables = {"tables": [table.name for table in Base.metadata.tables.values()]}
            facts = (await connection.execute(checks.FACTS, tables)).one()
            report.add(checks.check_server(facts, where, server))
            before = utc_now()
            server_time = await connection.scalar(checks.TIME)
            skew = server_time - (before + (utc_now() - before) / 2)
            report.add(checks.check_clock(skew.total_seconds()), suffix)
            driver: Any = (await connection.get_raw_connection()).driver_connection
            # A pooler sends the client a process id that does not exist on the server.
            is_pooled = driver.get_server_pid() != facts.process_id
            report.add(checks.check_pooler(settings, is_pooled=is_pooled), suffix)
            if is_replica:
                report.add(await checks.check_replication(connection, settings, facts, primary))
            else:
                report.add(checks.check_writes(facts))
            try:
                applied = await applied_revisions(connection)
            except RevisionTableUnreadable as error:
                report.add(Failure("revision", *str(error).split(". ", 1)), suffix)
            else:
                script = script_directory()
                code = CodeRevisions.from_script(script)
                report.add(checks.check_revision(applied, code, program), suffix)
                if not is_replica:
                    username = settings.for_migrations().sqlalchemy_url.username
                    role = username if settings.migration_url else None
                    needed = checks.required_extensions(script.walk_revisions())
                    pending = checks.required_extensions(pending_revisions(script, applied))
                    report.add(await checks.check_extensions(connection, needed, pending, role))
            for found in await check_server_settings(connection, settings):
                report.add(found, suffix)
    except (SQLAlchemyError, Unavailable, OSError, TimeoutError) as error:
        text = f"it stopped responding ({type(error).__name__})"
        report.add(Failure(server, text, "read the log of the server, then run this again"))
    return facts
