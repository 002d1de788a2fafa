"""The command that removes for good what was deleted."""

import asyncio
from datetime import timedelta
from typing import Annotated

import typer

from app.about import NAME
from app.kit.db.base import now
from app.kit.db.purging import purge as purge_deleted
from app.kit.db.session import Database
from app.kit.db.waiting import wait_for_database
from app.settings import Settings

commands = typer.Typer()


@commands.command()
def purge(
    days: Annotated[
        int, typer.Option(help="Keep what was deleted in so many days", min=1, max=36_500)
    ],
) -> None:
    """Remove for good what was deleted long ago; run it every night."""
    for table, rows in asyncio.run(_purge(Settings.load(), days)).items():
        typer.echo(f"{table}: {rows} removed")


async def _purge(settings: Settings, days: int) -> dict[str, int]:
    await wait_for_database(settings.database)
    database = Database.open(settings.database, f"{NAME} purge")
    try:
        return await purge_deleted(database, before=now() - timedelta(days=days))
    finally:
        await database.close()
