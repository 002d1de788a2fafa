"""Hard delete removes the row and all rows that it owns."""

import pytest
from httpx2 import AsyncClient
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.example.posts.models import Post
from app.example.users.models import Profile, User
from app.kit.db.base import utc_now
from app.kit.db.deletion import delete_where
from app.kit.db.session import Database
from app.kit.writes.bulk import delete_in_batches
from tests.example.factories import make_post, make_tag, make_user
from tests.support.statements import counting

TABLES = ("users", "profiles", "posts", "post_tags")


async def test_deleting_a_user_removes_owned_rows(
    client: AsyncClient, session: AsyncSession
) -> None:
    user = await make_user(session, profile=Profile())
    await make_post(session, author=user, tags=[await make_tag(session)])
    assert (await client.delete(f"/users/{user.id}")).status_code == 204
    for table in TABLES:
        assert await session.scalar(text(f"SELECT count(*) FROM {table}")) == 0
    assert await session.scalar(text("SELECT count(*) FROM tags")) == 1


async def test_children_are_deleted_by_the_database(
    client: AsyncClient, session: AsyncSession
) -> None:
    user = await make_user(session)
    for _ in range(3):
        await make_post(session, author=user)
    update = "CREATE RULE no_update AS ON UPDATE TO posts DO INSTEAD SELECT 1 / 0"
    await session.execute(text(update))
    await session.commit()
    # ON DELETE CASCADE deletes the posts. An UPDATE of a post would fail here.
    assert (await client.delete(f"/users/{user.id}")).status_code == 204


@pytest.mark.parametrize("posts", [1, 20])
async def test_statement_count_of_a_deletion_is_constant(
    client: AsyncClient, session: AsyncSession, database: Database, posts: int
) -> None:
    user = await make_user(session)
    for _ in range(posts):
        await make_post(session, author=user)
    with counting(database.engine) as statements:
        await client.delete(f"/users/{user.id}")
    assert not [sql for sql in statements if "posts" in sql and sql.startswith("UPDATE")]
    # One for the user, and one for the posts if the lazy strategy has loaded them.
    assert len([sql for sql in statements if sql.startswith("DELETE")]) <= 2


async def test_rows_are_deleted_by_criteria_with_owned_rows(session: AsyncSession) -> None:
    for _ in range(2):
        await make_post(session, author=await make_user(session, is_active=False))
    kept = await make_post(session)
    assert await delete_where(session, User, User.is_active.is_(False)) == 2
    assert await delete_where(session, User, User.is_active.is_(False)) == 0
    assert (await session.scalars(select(Post.id))).all() == [kept.id]


async def test_old_posts_are_removed_in_batches_with_owned_rows(session: AsyncSession) -> None:
    for _ in range(5):
        await make_post(session, tags=[await make_tag(session)])
    old = Post.updated_at < utc_now()
    assert await delete_in_batches(session, Post, old, size=3) == 5
    assert await delete_in_batches(session, Post, old, size=3) == 0
    assert await session.scalar(text("SELECT count(*) FROM posts")) == 0
    assert await session.scalar(text("SELECT count(*) FROM post_tags")) == 0
