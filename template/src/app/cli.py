"""Command-line interface of this service. docs/cli.md documents each command."""

import typer

from app.about import NAME
from app.kit.commands import (
    database,
    diagram,
    doctor,
    openapi,
    routes,
    scaffold,
    schema,
    seeding,
    serving,
)
from app.kit.commands.errors import MENDABLE
from app.kit.commands.service import Service, use_local_database
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
for module in (serving, scaffold, schema, database, seeding, routes, doctor, diagram, openapi):
    cli.add_typer(module.commands)
for commands in COMMANDS:
    cli.add_typer(commands)


# Commands of a team: list them in COMMANDS in src/app/registry.py, or define them below this line.


def main() -> None:
    """Run a command. An error that the user can fix prints one message and exits with code 2."""
    try:
        cli()
    except MENDABLE as error:
        typer.echo(str(error), err=True)
        raise SystemExit(2) from None
