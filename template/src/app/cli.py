"""The commands of this service."""

import os
import signal
import sys
from types import FrameType
from typing import Annotated

import typer
import uvicorn
from alembic.util import CommandError

from app.about import NAME
from app.kit.db.migrate import migrate as migrate_database
from app.kit.db.waiting import DatabaseUnreachable
from app.kit.development import local_settings
from app.kit.local_postgres import PostgresUnavailable
from app.kit.openapi import exporting
from app.kit.settings import SettingsError
from app.main import create_app
from app.registry import COMMANDS
from app.settings import Settings

cli = typer.Typer(name=NAME, no_args_is_help=True, help="Run and look after the service.")
for commands in COMMANDS:
    cli.add_typer(commands)
cli.command("openapi")(exporting(Settings, create_app))


@cli.command()
def dev(
    host: Annotated[str, typer.Option(help="Address to listen on")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help="Port to listen on", envvar="PORT", min=1, max=65535)
    ] = 8000,
) -> None:
    """Serve with reload, on a local database where no DATABASE_URL is set."""
    with local_settings(Settings) as settings:
        url = f"http://{host}:{port}"
        typer.echo(f"\n  Service   {url}\n  API docs  {url}/docs\n")
        # The reloader starts new processes: they find the database in the environment.
        os.environ["DATABASE_URL"] = settings.database.url.get_secret_value()
        # Said in any case, or one in `.env` would be migrated in place of a local database.
        owner = settings.database.migration_url
        os.environ["DATABASE_MIGRATION_URL"] = (
            owner.get_secret_value()
            if owner
            else settings.database.sqlalchemy_url.render_as_string(hide_password=False)
        )
        if "format" not in settings.log.model_fields_set:
            os.environ["LOG_FORMAT"] = "console"
        uvicorn.run(
            "app.dev:app",
            host=host,
            port=port,
            reload=True,
            reload_dirs=["src"],
            log_config=None,
        )


@cli.command()
def serve(
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 in a container", envvar="HOST")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help="Port to listen on", envvar="PORT", min=1, max=65535)
    ] = 8000,
    grace: Annotated[
        int, typer.Option(help="Seconds that running requests have to end", min=1, max=3600)
    ] = 20,
) -> None:
    """Serve in production: one process, which SIGTERM ends once its requests are answered."""
    app = create_app(Settings.load())
    # uvicorn ends with the signal that it was sent: make that an end like any other.
    signal.signal(signal.SIGTERM, _end)
    uvicorn.run(
        app,
        host=host,
        port=port,
        timeout_graceful_shutdown=grace,
        log_config=None,
        server_header=False,
    )


def _end(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(0)


@cli.command()
def migrate(
    revision: Annotated[str, typer.Argument(help="Where to go: a revision, or heads")] = "heads",
) -> None:
    """Bring the database's schema to a revision."""
    migrate_database(Settings.load(), revision)


def main() -> None:
    """Run a command; what the user can mend is one message and exit code 2, not a trace."""
    try:
        cli()
    except (SettingsError, PostgresUnavailable, DatabaseUnreachable, CommandError) as error:
        typer.echo(str(error), err=True)
        raise SystemExit(2) from None
