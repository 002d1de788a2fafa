"""`doctor`: check everything that the service needs."""

import asyncio
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager

import typer
from alembic.config import Config
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.kit.cli.checks import (
    CheckStatus,
    Finding,
    ServerInfo,
    failure,
    fetch_server_info,
    migration_checks,
    ok,
    server_checks,
    warning,
)
from app.kit.cli.development_database import configured_database_url, local_settings
from app.kit.cli.service import Service, get_service, has_local_database
from app.kit.db.connections.startup_checks import (
    address,
    available_connections,
    probe_connection,
    required_connections,
)
from app.kit.db.engine import build_probe_engine
from app.kit.db.settings import DatabaseSettings
from app.kit.errors.problems import Unavailable
from app.kit.migrations.runner import alembic_config
from app.kit.settings import KitSettings, SettingsError

commands = typer.Typer()

_COLOURS = {CheckStatus.OK: "green", CheckStatus.WARNING: "yellow", CheckStatus.FAILURE: "red"}
# Seconds for all queries of a server, beyond the time to connect.
_PATIENCE = 10
# Bytes. 16 MiB is one WAL file.
_FAR_BEHIND = 16 * 2**20

_BEHIND = text("SELECT pg_wal_lsn_diff(CAST(:written AS text)::pg_lsn, pg_last_wal_replay_lsn())")


@commands.command()
def doctor(context: typer.Context) -> None:
    """Check configuration, database, schema, connections and clocks; report what to do.

    Changes nothing and prints no secret.
    Exit code 1 for a failure, 0 for warnings.
    """
    service = get_service(context)
    try:
        with _settings(service) as settings:
            states = asyncio.run(_print_all(settings, service.name))
    except SettingsError as error:
        _, *wrong, advice = str(error).splitlines()
        states = [_print(failure("configuration", line.strip(), advice)) for line in wrong]
    if CheckStatus.FAILURE in states:
        raise typer.Exit(1)


async def _print_all(settings: KitSettings, service: str) -> list[CheckStatus]:
    return [_print(finding) async for finding in run_checks(settings, service)]


def _print(finding: Finding) -> CheckStatus:
    state = typer.style(f"{finding.state:<9}", fg=_COLOURS[finding.state])
    typer.echo(f"{state}{finding.about}: {finding.found}")
    if finding.advice:
        typer.echo(f"{'':9}-> {finding.advice}")
    return finding.state


@contextmanager
def _settings(service: Service) -> Generator[KitSettings]:
    """Yield the settings of the environment, or of an existing local database."""
    if configured_database_url(env_file=True) or not has_local_database():
        yield service.settings.load()
        return
    with local_settings(service.settings) as settings:
        yield settings


async def run_checks(settings: KitSettings, service: str) -> AsyncIterator[Finding]:
    """Check the database, and the replica and the migration connection if they are set."""
    database, config = settings.database, alembic_config(settings)
    given = configured_database_url(env_file=True)
    yield ok("configuration", "valid" if given else "valid; the local database of `dev`")
    if database.echo and not database.hide_parameters:
        found = "DATABASE_ECHO without DATABASE_HIDE_PARAMETERS logs the values of rows"
        yield warning("configuration", found, "set DATABASE_HIDE_PARAMETERS=true in production")
    primary: list[ServerInfo] = []
    async for finding in _check_server(database, config, "database", service, primary):
        yield finding
    if primary and primary[0].repeats:
        found = "a standby, which rejects writes"
        yield failure("database", found, "set DATABASE_URL to the primary")
    if database.replica_url:
        at = database.model_copy(update={"url": database.replica_url})
        async for finding in _check_server(at, config, "replica", service, primary):
            yield finding
    if database.migration_url:
        yield await _migrations(database, service)


async def _check_server(
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
            migrate = f"run `{service} migrate`"
            role = _migrating(settings).sqlalchemy_url.username if settings.migration_url else None
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
