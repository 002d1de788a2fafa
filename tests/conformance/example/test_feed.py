"""The feed scans the rows of one page only, at any depth."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.example.posts.models import Post
from app.example.posts.repository import POSTS, SORT_ORDERS, matching
from app.example.posts.schemas import FeedQuery, PostSort
from app.kit.db.session import Database
from tests.example.factories import make_user
from tests.example.http_requests import count_rows_scanned

DAY = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("sort", PostSort)
async def test_deep_page_scans_no_more_rows_than_its_size(
    database: Database, session: AsyncSession, sort: PostSort
) -> None:
    author = await make_user(session)
    posts = [
        {
            "author_id": author.id,
            "title": f"Post {number % 300:03}",
            "created_at": DAY + timedelta(minutes=number % 900),
            "published_at": DAY + timedelta(hours=number % 500) if number % 4 else None,
        }
        for number in range(3000)
    ]
    await session.execute(insert(Post), posts)
    await session.execute(text("ANALYZE posts"))
    # PostgreSQL prefers a sequential scan for a small table.
    await session.execute(text("SET LOCAL enable_seqscan = off"))
    query = FeedQuery.model_validate({"sort": sort, "limit": 100})
    for _ in range(20):
        page = await POSTS.feed(session, query, matching(query), SORT_ORDERS[query.sort])
        query = query.model_copy(update={"cursor": page.next})
    # An index range per sort column, and the rows of the page.
    query = query.model_copy(update={"limit": 10})
    last = POSTS.feed(session, query, matching(query), SORT_ORDERS[query.sort])
    assert await count_rows_scanned(database, session, "posts", last) <= 60
