"""Maintenance commands of the example. Run them nightly."""

from datetime import timedelta
from typing import Annotated

import typer

from app.example.idempotency import IdempotencyKey
from app.example.posts.service import delete_old_posts
from app.example.users.service import deactivate_users
from app.kit.cli.jobs import job
from app.kit.db.base import utc_now
from app.kit.db.session import Database
from app.kit.writes.idempotency import delete_expired

commands = typer.Typer()

Days = Annotated[int, typer.Option(help="Number of days", min=1, max=36_500)]


@commands.command("deactivate-users")
@job
async def deactivate(database: Database, days: Days) -> str:
    """Deactivate users that had no update and no new post for a number of days."""
    count = await deactivate_users(database, utc_now() - timedelta(days=days))
    return f"{count} users deactivated"


@commands.command("delete-old-posts")
@job
async def delete_old(database: Database, days: Days) -> str:
    """Delete posts that had no update for a number of days."""
    count = await delete_old_posts(database, utc_now() - timedelta(days=days))
    return f"{count} posts deleted"


@commands.command("delete-idempotency-keys")
@job
async def delete_keys(database: Database, days: Days) -> str:
    """Delete idempotency keys older than a number of days, with their stored responses.

    After that, a repeated request is executed again. The API promises to keep keys for one day.
    """
    count = await delete_expired(database, IdempotencyKey, utc_now() - timedelta(days=days))
    return f"{count} keys deleted"
