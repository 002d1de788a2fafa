"""Restore soft-deleted rows."""

from asyncio import create_task

import pytest
from httpx2 import AsyncClient
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.example.posts.models import Post
from app.example.users.models import User
from app.kit.db.session import Database
from app.kit.errors.problems import Conflict
from app.kit.writes.deleted_rows import restore
from tests.example.factories import make_post, make_user
from tests.example.order_factories import wait_for_blocked


async def test_user_is_restored_with_posts_deleted_at_the_same_time(
    client: AsyncClient, session: AsyncSession
) -> None:
    user = await make_user(session)
    deleted_earlier, deleted_with_user = (
        await make_post(session, author=user),
        await make_post(session, author=user),
    )
    await client.delete(f"/posts/{deleted_earlier.id}")
    await client.delete(f"/users/{user.id}")
    response = await client.post(f"/users/{user.id}/restore")
    assert response.status_code == 200
    assert response.json()["email"] == user.email
    assert (await client.get(f"/users/{user.id}")).status_code == 200
    assert (await session.scalars(select(Post.id))).all() == [deleted_with_user.id]


async def test_only_a_deleted_user_can_be_restored(
    client: AsyncClient, session: AsyncSession
) -> None:
    user = await make_user(session)
    assert (await client.post(f"/users/{user.id}/restore")).status_code == 404
    await client.delete(f"/users/{user.id}")
    assert (await client.post(f"/users/{user.id}/restore")).status_code == 200
    assert (await client.post(f"/users/{user.id}/restore")).status_code == 404


async def test_restore_conflicts_with_an_email_in_use(
    client: AsyncClient, session: AsyncSession
) -> None:
    user = await make_user(session, email="ada@example.org")
    await make_post(session, author=user)
    await client.delete(f"/users/{user.id}")
    await make_user(session, email="ada@example.org")
    response = await client.post(f"/users/{user.id}/restore")
    assert response.status_code == 409
    assert [error["field"] for error in response.json()["errors"]] == ["email"]
    assert await session.scalar(select(Post.id)) is None


async def test_row_cannot_be_restored_before_its_parent(
    client: AsyncClient, session: AsyncSession
) -> None:
    post = await make_post(session)
    author_id = post.author_id
    await client.delete(f"/users/{author_id}")
    with pytest.raises(Conflict, match="author"):
        await restore(session, Post, post.id)
    await restore(session, User, author_id)
    assert await session.scalar(text("SELECT count(*) FROM posts WHERE deleted_at IS NULL")) == 1


async def test_concurrent_delete_of_parent_deletes_restored_row(
    committing_client: AsyncClient, own_database: Database, own_session: AsyncSession
) -> None:
    post = await make_post(own_session)
    await committing_client.delete(f"/posts/{post.id}")
    async with own_database.transaction() as session:
        await restore(session, Post, post.id)
        request = create_task(committing_client.delete(f"/users/{post.author_id}"))
        await wait_for_blocked(own_database, 1)
    assert (await request).status_code == 204
    assert (await committing_client.get("/posts")).json()["total"] == 0
