"""A page of the feed reads no more rows than its own, at any depth."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.example.posts.models import Post
from app.example.posts.repository import ORDERS, POSTS, matching
from app.example.posts.schemas import FeedQuery, PostSort
from app.kit.db.session import Database
from tests.example.factories import make_user
from tests.example.reading import rows_read

A_DAY = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("sort", PostSort)
async def test_a_page_deep_in_the_feed_reads_no_more_rows_than_its_own(
    database: Database, session: AsyncSession, sort: PostSort
) -> None:
    author = await make_user(session)
    posts = [
        {
            "author_id": author.id,
            "title": f"Post {number % 300:03}",
            "created_at": A_DAY + timedelta(minutes=number % 900),
            "published_at": A_DAY + timedelta(hours=number % 500) if number % 4 else None,
        }
        for number in range(3000)
    ]
    await session.execute(insert(Post), posts)
    await session.execute(text("ANALYZE posts"))
    # For so small a table, PostgreSQL would rather read all of it.
    await session.execute(text("SET LOCAL enable_seqscan = off"))
    query = FeedQuery.model_validate({"sort": sort, "limit": 100})
    for _ in range(20):
        page = await POSTS.feed(session, query, matching(query), ORDERS[query.sort])
        query = query.model_copy(update={"cursor": page.next})
    # A range of the index for each term of the order, and the rows of the page themselves.
    query = query.model_copy(update={"limit": 10})
    last = POSTS.feed(session, query, matching(query), ORDERS[query.sort])
    assert await rows_read(database, session, "posts", last) <= 60
