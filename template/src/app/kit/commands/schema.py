"""`migrate` and `revision`: the schema of the database."""

from argparse import Namespace
from typing import Annotated

import typer
from alembic import command
from alembic.script import Script, ScriptDirectory

from app.kit.commands.errors import Refused
from app.kit.commands.service import service_of
from app.kit.db.migrate import PROJECT_ROOT, alembic_config
from app.kit.db.migrate import migrate as migrate_database
from app.kit.db.review import Review
from app.kit.db.schema_state import named

commands = typer.Typer()


@commands.command()
def migrate(
    context: typer.Context,
    revision: Annotated[str, typer.Argument(help="Where to go: a revision, or heads")] = "heads",
) -> None:
    """Bring the database's schema to a revision."""
    migrate_database(service_of(context).settings.load(), revision)


@commands.command()
def revision(
    context: typer.Context,
    message: Annotated[str, typer.Option("--message", "-m", help="What it does: add notes")],
) -> None:
    """Write a revision from what the models have and the database has not; says what to review.

    Without DATABASE_URL it compares with the local database, which it brings to the newest
    revision; another one must be there already.
    """
    service = service_of(context)
    with service.migrated() as settings:
        config = alembic_config(settings)
        heads = ScriptDirectory.from_config(config).get_heads()
        if len(heads) > 1:
            raise Refused(
                f"The revisions have parted: {named({*heads})} are all the newest. Join them "
                "first, with `alembic merge heads -m 'join two lines'`, and migrate."
            )
        review = Review()
        config.cmd_opts = Namespace(quiet=True)
        written = command.revision(
            config, message, autogenerate=True, process_revision_directives=review.of
        )
    if not isinstance(written, Script):
        typer.echo("The models and the database agree: there is nothing to write.")
        return
    place = written.path
    if place.startswith(str(PROJECT_ROOT)):
        place = place.removeprefix(str(PROJECT_ROOT)).lstrip("/\\")
    typer.echo(place)
    for change in review.changes:
        typer.echo(f"  {change.what}")
        if change.risk:
            typer.echo(f"    ! {change.risk}")
    typer.echo(
        "Read it before you run it; docs/database.md tells what stops a service in use. Then "
        f"`{service.name} migrate`, and `pytest tests/kit` tries it, and its downgrade."
    )
