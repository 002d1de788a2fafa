"""The user overview scans only the latest posts of a user."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.example.posts.models import Post
from app.example.users.models import User
from app.example.users.repository import overview
from app.example.users.schemas import LATEST_POSTS
from app.kit.db.session import Database
from tests.example.factories import make_user
from tests.example.http_requests import count_rows_scanned

DAY = datetime(2026, 1, 1, tzinfo=UTC)


async def write_posts(
    session: AsyncSession, author: User, count: int, since: datetime = DAY
) -> None:
    """Store `count` posts of one user, one minute apart."""
    posts = [
        {
            "author_id": author.id,
            "title": f"Post {number}",
            "created_at": since + timedelta(minutes=number),
        }
        for number in range(count)
    ]
    await session.execute(insert(Post), posts)
    await session.commit()


async def test_overview_scans_only_the_latest_posts(
    session: AsyncSession, database: Database
) -> None:
    user = await make_user(session)
    await write_posts(session, user, 1_000)
    # The index limits the scan: not all posts of this user, and no newer posts of other users.
    await write_posts(session, await make_user(session), 20_000, since=DAY + timedelta(days=30))
    await session.execute(text("ANALYZE posts"))
    # The setting for an SSD. With the default, the planner may prefer a sequential scan.
    await session.execute(text("SET LOCAL random_page_cost = 1.1"))
    read = overview(session, user.id)
    assert await count_rows_scanned(database, session, "posts", read) == LATEST_POSTS
