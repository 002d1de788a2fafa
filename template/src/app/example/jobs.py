"""The commands of the example: what is done to it every night."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Annotated

import typer

from app.about import NAME
from app.example.idempotency.service import forget_keys
from app.example.posts.service import delete_old_posts
from app.example.users.service import deactivate_users
from app.kit.db.base import now
from app.kit.db.session import Database
from app.settings import Settings

commands = typer.Typer()

Days = Annotated[int, typer.Option(help="For how many days", min=1, max=36_500)]


@commands.command("deactivate-users")
def deactivate(days: Days) -> None:
    """Deactivate the users who have neither changed nor written anything for so long."""
    count = asyncio.run(_run(deactivate_users, days))
    typer.echo(f"{count} users deactivated")


@commands.command("delete-old-posts")
def delete_old(days: Days) -> None:
    """Delete the posts that have not changed for so long."""
    count = asyncio.run(_run(delete_old_posts, days))
    typer.echo(f"{count} posts deleted")


@commands.command("forget-keys")
def forget(days: Days) -> None:
    """Forget the keys of requests from before so long; whoever repeats one later does it again.

    The answers that were kept with them go as well. Clients are told to repeat within a day.
    """
    count = asyncio.run(_run(forget_keys, days))
    typer.echo(f"{count} keys forgotten")


async def _run(job: Callable[[Database, datetime], Awaitable[int]], days: int) -> int:
    database = Database.open(Settings.load().database, f"{NAME} jobs")
    try:
        return await job(database, now() - timedelta(days=days))
    finally:
        await database.close()
