"""Maintenance commands of the example. Run them nightly."""

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

Days = Annotated[int, typer.Option(help="Minimum age in days", min=1, max=36_500)]


@commands.command("deactivate-users")
@job
async def deactivate(database: Database, days: Days) -> str:
    """Deactivate users without an update or a new post for this many days."""
    count = await deactivate_users(database, now() - timedelta(days=days))
    return f"{count} users deactivated"


@commands.command("delete-old-posts")
@job
async def delete_old(database: Database, days: Days) -> str:
    """Delete posts that were last updated this many days ago or earlier."""
    count = await delete_old_posts(database, now() - timedelta(days=days))
    return f"{count} posts deleted"


@commands.command("forget-keys")
@job
async def forget(database: Database, days: Days) -> str:
    """Delete expired idempotency keys with their stored responses.

    A request that is repeated after that runs again. The API documentation allows one day.
    """
    count = await forget_keys(database, now() - timedelta(days=days))
    return f"{count} keys deleted"
