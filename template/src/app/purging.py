"""`purge`: permanently deletes rows that were soft-deleted long ago."""

from datetime import timedelta
from typing import Annotated

import typer

from app.kit.cli.jobs import job
from app.kit.db.base import utc_now
from app.kit.db.session import Database
from app.kit.writes.deleted_rows import purge as purge_deleted

commands = typer.Typer()


@commands.command()
@job
async def purge(
    database: Database,
    days: Annotated[
        int, typer.Option(help="Number of days to keep deleted rows", min=1, max=36_500)
    ],
) -> str | None:
    """Permanently delete rows that were soft-deleted long ago. Run it nightly."""
    removed = await purge_deleted(database, before=utc_now() - timedelta(days=days))
    return "\n".join(f"{table}: {rows} removed" for table, rows in removed.items()) or None
