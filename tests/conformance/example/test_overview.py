"""A user is read with the newest of their posts, however many there are."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.example.posts.models import Post
from app.example.users.models import User
from app.example.users.repository import overview
from app.example.users.schemas import LATEST_POSTS
from app.kit.db.session import Database
from tests.example.factories import make_user
from tests.example.reading import rows_read

A_DAY = datetime(2026, 1, 1, tzinfo=UTC)


async def write_posts(
    session: AsyncSession, author: User, count: int, since: datetime = A_DAY
) -> None:
    """So many posts by one user, each a minute after the one before."""
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


async def test_who_wrote_a_thousand_posts_is_read_as_fast(
    session: AsyncSession, database: Database
) -> None:
    user = await make_user(session)
    await write_posts(session, user, 1_000)
    # Neither all that this user wrote is looked at, nor all that others have written since.
    await write_posts(session, await make_user(session), 20_000, since=A_DAY + timedelta(days=30))
    await session.execute(text("ANALYZE posts"))
    # As fast disks should be told of; by the default the planner may rather read rows in a line.
    await session.execute(text("SET LOCAL random_page_cost = 1.1"))
    read = overview(session, user.id)
    assert await rows_read(database, session, "posts", read) == LATEST_POSTS
