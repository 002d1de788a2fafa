"""The commands of the example: what is done to it every night."""

from datetime import timedelta
from typing import Annotated

import typer

from app.example.idempotency.service import forget_keys
from app.example.posts.service import delete_old_posts
from app.example.users.service import deactivate_users
from app.kit.commands.jobs import job
from app.kit.db.base import now
from app.kit.db.session import Database

commands = typer.Typer()

Days = Annotated[int, typer.Option(help="For how many days", min=1, max=36_500)]


@commands.command("deactivate-users")
@job
async def deactivate(database: Database, days: Days) -> str:
    """Deactivate users who have not changed or written anything for some days."""
    count = await deactivate_users(database, now() - timedelta(days=days))
    return f"{count} users deactivated"


@commands.command("delete-old-posts")
@job
async def delete_old(database: Database, days: Days) -> str:
    """Delete posts that have not changed for some days."""
    count = await delete_old_posts(database, now() - timedelta(days=days))
    return f"{count} posts deleted"


@commands.command("forget-keys")
@job
async def forget(database: Database, days: Days) -> str:
    """Delete expired idempotency keys, with the responses stored for them.

    A request that is repeated later is done again. Clients are told to repeat within a day.
    """
    count = await forget_keys(database, now() - timedelta(days=days))
    return f"{count} keys forgotten"
