"""`revision`: what the models have and the database has not."""

from contextlib import redirect_stdout
from io import StringIO
from typing import Annotated

import typer
from alembic import command
from alembic.script import Script

from app.kit.commands.service import service_of
from app.kit.db.migrate import PROJECT_ROOT, alembic_config
from app.kit.db.review import Review

commands = typer.Typer()


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
        review = Review()
        # Alembic tells of each thing that it does.
        with redirect_stdout(StringIO()):
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
