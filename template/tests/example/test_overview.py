"""The user overview: a user, the profile and the latest posts."""

from datetime import UTC, datetime, timedelta

import pytest
from httpx2 import AsyncClient
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.example.posts.models import Post
from app.example.users.models import Profile, User
from app.example.users.repository import overview
from app.example.users.schemas import LATEST_POSTS
from app.kit.db.session import Database
from tests.example.factories import make_post, make_user
from tests.support.statements import counting

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


async def test_overview_contains_profile_and_latest_posts(
    client: AsyncClient, session: AsyncSession
) -> None:
    ada = await make_user(session, profile=Profile(bio="Writes."))
    post = await make_post(session, author=ada, title="Kept", published_at=DAY)
    deleted = await make_post(session, author=ada)
    await make_post(session)
    await client.delete(f"/posts/{deleted.id}")
    body = (await client.get(f"/users/{ada.id}/overview")).json()
    assert body["user"] == (await client.get(f"/users/{ada.id}")).json()
    full_post = (await client.get(f"/posts/{post.id}")).json()
    names = ("id", "title", "published_at", "created_at")
    assert body["latest_posts"] == [{name: full_post[name] for name in names}]


async def test_overview_without_profile_and_posts(
    client: AsyncClient, session: AsyncSession
) -> None:
    user = await make_user(session)
    body = (await client.get(f"/users/{user.id}/overview")).json()
    assert (body["user"]["profile"], body["latest_posts"]) == (None, [])
    await client.delete(f"/users/{user.id}")
    assert (await client.get(f"/users/{user.id}/overview")).status_code == 404


@pytest.mark.parametrize("posts", [1, 50])
async def test_overview_takes_two_statements(
    client: AsyncClient, session: AsyncSession, database: Database, posts: int
) -> None:
    user = await make_user(session)
    await write_posts(session, user, posts)
    with counting(database.engine) as statements:
        body = (await client.get(f"/users/{user.id}/overview")).json()
    # One statement for the user with the profile, one for the posts.
    statements.assert_count(2)
    newest = [f"Post {number}" for number in reversed(range(posts))]
    assert [post["title"] for post in body["latest_posts"]] == newest[:LATEST_POSTS]


async def test_overview_loads_only_the_columns_it_returns(
    session: AsyncSession, database: Database
) -> None:
    key = (await make_post(session)).author_id
    with counting(database.engine) as statements:
        await overview(session, key)
    assert "posts.title" in statements[-1]
    assert "posts.body" not in statements[-1]
