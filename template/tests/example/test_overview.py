"""A user with their profile and the newest of their posts, in one read."""

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
from tests.rig.statements import counting

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


async def test_a_user_is_read_with_profile_and_posts(
    client: AsyncClient, session: AsyncSession
) -> None:
    ada = await make_user(session, profile=Profile(bio="Writes."))
    post = await make_post(session, author=ada, title="Kept", published_at=A_DAY)
    deleted = await make_post(session, author=ada)
    await make_post(session)
    await client.delete(f"/posts/{deleted.id}")
    body = (await client.get(f"/users/{ada.id}/overview")).json()
    assert body["user"] == (await client.get(f"/users/{ada.id}")).json()
    whole = (await client.get(f"/posts/{post.id}")).json()
    names = ("id", "title", "published_at", "created_at")
    assert body["latest_posts"] == [{name: whole[name] for name in names}]


async def test_a_user_may_have_neither(client: AsyncClient, session: AsyncSession) -> None:
    user = await make_user(session)
    body = (await client.get(f"/users/{user.id}/overview")).json()
    assert (body["user"]["profile"], body["latest_posts"]) == (None, [])
    await client.delete(f"/users/{user.id}")
    assert (await client.get(f"/users/{user.id}/overview")).status_code == 404


@pytest.mark.parametrize("posts", [1, 50])
async def test_the_newest_posts_are_shown_in_as_many_statements_however_many_there_are(
    client: AsyncClient, session: AsyncSession, database: Database, posts: int
) -> None:
    user = await make_user(session)
    await write_posts(session, user, posts)
    with counting(database.engine) as statements:
        body = (await client.get(f"/users/{user.id}/overview")).json()
    # The user with the profile, and the posts.
    statements.assert_count(2)
    newest = [f"Post {number}" for number in reversed(range(posts))]
    assert [post["title"] for post in body["latest_posts"]] == newest[:LATEST_POSTS]


async def test_a_post_does_not_bring_along_what_is_not_shown(
    session: AsyncSession, database: Database
) -> None:
    key = (await make_post(session)).author_id
    with counting(database.engine) as statements:
        await overview(session, key)
    assert "posts.title" in statements[-1]
    assert "posts.body" not in statements[-1]
