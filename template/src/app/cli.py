"""The commands of this service; docs/cli.md tells of each."""

from typing import Annotated

import typer

from app.about import NAME
from app.kit.commands import diagram, doctor, openapi, routes, schema, seeding, serving
from app.kit.commands.errors import MENDABLE
from app.kit.commands.service import Service
from app.kit.db.migrate import migrate as migrate_database
from app.main import create_app
from app.registry import COMMANDS, SEEDERS
from app.settings import Settings

SERVICE = Service(NAME, Settings, create_app, "app.dev:app", SEEDERS)

cli = typer.Typer(
    name=NAME,
    no_args_is_help=True,
    help="Run and look after the service.",
    context_settings={"obj": SERVICE},
)
for module in (serving, schema, seeding, routes, doctor, diagram, openapi):
    cli.add_typer(module.commands)
for commands in COMMANDS:
    cli.add_typer(commands)


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
    except MENDABLE as error:
        typer.echo(str(error), err=True)
        raise SystemExit(2) from None
