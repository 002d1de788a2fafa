"""Command-line interface of this service. docs/cli.md documents each command."""

import typer

from app.about import NAME
from app.kit.cli.commands import db, doctor, migrate, openapi, routes, seed, serve
from app.kit.cli.development_database import development_commands
from app.kit.cli.errors import USER_ERRORS
from app.kit.cli.service import Service, use_local_database
from app.main import create_app
from app.registry import COMMANDS, SEEDERS
from app.settings import Settings

SERVICE = Service(NAME, Settings, create_app, "app.dev:app", SEEDERS)

cli = typer.Typer(
    name=NAME,
    no_args_is_help=True,
    help="Run and maintain the service.",
    callback=use_local_database,
    context_settings={"obj": SERVICE},
)
for module in (serve, migrate, db, seed, routes, doctor, openapi):
    cli.add_typer(module.commands)
for commands in [*development_commands(), *COMMANDS]:
    cli.add_typer(commands)


# Add your own commands to COMMANDS in src/app/registry.py, or define them below this line.


def main() -> None:
    """Run a command. An error that the user can fix prints one message and exits with code 2."""
    try:
        cli()
    except USER_ERRORS as error:
        typer.echo(str(error), err=True)
        raise SystemExit(2) from None
