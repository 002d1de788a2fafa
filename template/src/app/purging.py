"""The command that deletes soft-deleted rows permanently."""

from datetime import timedelta
from typing import Annotated

import typer

from app.kit.commands.jobs import job
from app.kit.db.base import now
from app.kit.db.purging import purge as purge_deleted
from app.kit.db.session import Database

commands = typer.Typer()


@commands.command()
@job
async def purge(
    database: Database,
    days: Annotated[
        int, typer.Option(help="Keep what was deleted in so many days", min=1, max=36_500)
    ],
) -> str | None:
    """Delete rows permanently that were deleted long ago; run it every night."""
    removed = await purge_deleted(database, before=now() - timedelta(days=days))
    return "\n".join(f"{table}: {rows} removed" for table, rows in removed.items()) or None
