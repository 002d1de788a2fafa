"""`db`: the database that the other commands use."""

import asyncio
import os
import shutil
import signal
import subprocess
from contextlib import suppress
from typing import Annotated

import typer
from sqlalchemy import URL, text
from sqlalchemy.exc import DBAPIError

from app.kit.cli.development_database import configured_database_url, local_database
from app.kit.cli.errors import CommandFailed
from app.kit.cli.service import Service, get_service
from app.kit.db.connections.startup_checks import address
from app.kit.errors.database_errors import driver_error, sqlstate
from app.kit.migrations.runner import (
    PROJECT_ROOT,
    applied_revisions,
    create_schema,
    format_revisions,
    load_revisions,
    migration_connection,
    pending_revisions,
    script_directory,
)
from app.kit.settings import KitSettings

commands = typer.Typer()
db = typer.Typer(
    no_args_is_help=True,
    help="Inspect or reset the database: DATABASE_URL, or the local database if it is not set.",
)
commands.add_typer(db, name="db")

_DELETE_EVERYTHING = text("""
    DO $$
    DECLARE name text;
    BEGIN
        FOR name IN SELECT nspname FROM pg_namespace
                    WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
        LOOP
            EXECUTE format('DROP SCHEMA %I CASCADE', name);
        END LOOP;
        CREATE SCHEMA public;
    END $$
""")
_SERVER = text("SELECT current_setting('server_version'), current_database()")
_SIZE = text("SELECT pg_size_pretty(pg_database_size(current_database()))")


@db.command()
def url(context: typer.Context) -> None:
    """Print the URL of the database, with its password, for other programs.

    The local database runs only while a command uses it, and has another URL
    each time: keep `dev` running.
    """
    service = get_service(context)
    # Checked first, because `load` starts the local database.
    will_stop = not configured_database_url() and not _is_local_server_in_use()
    typer.echo(_libpq_url(service.settings.load()).render_as_string(hide_password=False))
    if will_stop:
        typer.echo(
            "No other command uses the local database, so it stops now. Run "
            f"`{service.name} dev`, then `{service.name} db url` again; or use "
            f"`{service.name} db psql`.",
            err=True,
        )


@db.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def psql(context: typer.Context) -> None:
    """Open psql on the database; further arguments are for psql: `db psql -c "SELECT 1"`."""
    service = get_service(context)
    libpq_url = _libpq_url(service.settings.load())
    program = _find_psql(is_local=not configured_database_url())
    if program is None:
        raise CommandFailed(
            "psql is not installed. Install the PostgreSQL client, then run "
            f"`{service.name} db psql` again, or start `{service.name} dev` and connect any client "
            f"to {libpq_url.render_as_string(hide_password=True)}"
        )
    environment = dict(os.environ)
    if libpq_url.password:
        # Not an argument: other users of the machine can read the arguments of a process.
        environment["PGPASSWORD"] = str(libpq_url.password)
    # psql handles Ctrl-C: it cancels the statement that runs.
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        # Not `URL.set`, which ignores None.
        without_password = libpq_url._replace(password=None)
        command = [program, without_password.render_as_string(), *context.args]
        result = subprocess.run(command, env=environment, check=False)  # noqa: S603 - no shell
    finally:
        signal.signal(signal.SIGINT, handler)
    raise typer.Exit(result.returncode)


@db.command()
def reset(
    context: typer.Context,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation")] = False,
) -> None:
    """Delete all local data and apply all migrations. Fails if DATABASE_URL is set."""
    service = get_service(context)
    if configured_database_url():
        raise CommandFailed(
            "DATABASE_URL is set, and `db reset` only deletes the local database. Unset "
            "DATABASE_URL in the environment and in .env to reset the local database."
        )
    if not yes and not typer.confirm("Delete everything in the local database?"):
        typer.echo("Nothing was deleted.")
        return
    with local_database(with_schema=False):
        settings = service.settings.load()
        asyncio.run(_delete_everything(settings))
        create_schema(settings)
    typer.echo("The local database is empty and up to date.")


@db.command()
def status(context: typer.Context) -> None:
    """Print address, version, size, current migration and pending migrations of the database."""
    service = get_service(context)
    asyncio.run(_print_status(service, service.settings.load()))


async def _print_status(service: Service, settings: KitSettings) -> None:
    async with migration_connection(settings, service.name) as connection:
        version, name = (await connection.execute(_SERVER)).one()
        size = await connection.scalar(_SIZE)
        applied = await applied_revisions(connection)
    is_local = not configured_database_url()
    where = f"{address(settings.database.sqlalchemy_url)}, database {name}"
    typer.echo(f"Database   {'local, .pgdata' if is_local else where}")
    typer.echo(f"Server     PostgreSQL {version}")
    typer.echo(f"Size       {size}")
    typer.echo(f"Migration  {format_revisions(applied)}")
    code, pending = load_revisions(), pending_revisions(script_directory(), applied)
    if applied - code.known:
        typer.echo(f"Pending    none. {code.mismatch(applied, service.name)}")
    elif not pending:
        typer.echo("Pending    none")
    else:
        typer.echo(f"Pending    {len(pending)}; apply with `{service.name} migrate`:")
    for migration in pending:
        typer.echo(f"           {migration.revision} {migration.doc}")


async def _delete_everything(settings: KitSettings) -> None:
    try:
        async with migration_connection(settings, "reset") as connection, connection.begin():
            await connection.execute(_DELETE_EVERYTHING)
    except DBAPIError as error:
        message = f"The local database could not be reset: {driver_error(error)}."
        if sqlstate(error) in {"55P03", "40P01"}:  # a lock timeout, or a deadlock
            message += " Another session uses it: end that session, and reset it again."
        raise CommandFailed(message) from error


def _libpq_url(settings: KitSettings) -> URL:
    """Return the URL in the form that psql and other programs accept."""
    source = settings.database.sqlalchemy_url
    query = {"sslmode" if name == "ssl" else name: value for name, value in source.query.items()}
    return source.set(drivername="postgresql", query=query)


def _find_psql(*, is_local: bool) -> str | None:
    """Return the psql on PATH, or for the local database the psql of the same version."""
    installed = shutil.which("psql")
    if installed and not is_local:
        return installed
    # Without `devtools`, or without binaries.
    with suppress(ImportError, RuntimeError):
        from local_postgres.binaries import find_binaries

        return shutil.which("psql", path=find_binaries().bindir) or installed
    return installed


def _is_local_server_in_use() -> bool:
    """Return whether another process uses the local server."""
    # Windows, no `devtools`, no binaries, or never started.
    with suppress(ImportError, RuntimeError, FileNotFoundError):
        import fcntl

        from local_postgres.binaries import find_binaries
        from local_postgres.supervisor import Cluster, try_lock

        cluster = Cluster(PROJECT_ROOT / ".pgdata", *find_binaries(), durable=True)
        with cluster.path(".users").open() as users:
            # Each process that uses the server holds a shared lock. A supervisor that stops the
            # server holds the exclusive lock, so that the first attempt fails.
            return try_lock(users, fcntl.LOCK_SH) and not try_lock(users, fcntl.LOCK_EX)
    return False
