"""What deleting promises: the row is hidden from every statement, and still there."""

import pytest
from httpx2 import AsyncClient
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload, selectinload

from app.example.posts.models import Post
from app.example.users.models import User
from tests.example.factories import make_post, make_user


async def test_a_deleted_row_is_kept_with_the_time(
    client: AsyncClient, session: AsyncSession
) -> None:
    user = await make_user(session)
    await client.delete(f"/users/{user.id}")
    deleted = await session.scalar(text("SELECT deleted_at FROM users"))
    assert deleted is not None


async def test_what_a_user_owns_is_hidden_at_the_same_moment(
    client: AsyncClient, session: AsyncSession
) -> None:
    user = await make_user(session)
    for _ in range(3):
        await make_post(session, author=user)
    kept = await make_post(session)
    await client.delete(f"/users/{user.id}")
    times = "SELECT deleted_at FROM users UNION ALL SELECT deleted_at FROM posts"
    deleted = (await session.scalars(text(f"SELECT DISTINCT * FROM ({times}) AS t"))).all()
    assert len([time for time in deleted if time]) == 1
    assert (await session.scalars(select(Post.id))).all() == [kept.id]


async def test_no_statement_sees_a_deleted_row(client: AsyncClient, session: AsyncSession) -> None:
    user = await make_user(session)
    gone, kept = await make_post(session, author=user), await make_post(session, author=user)
    await client.delete(f"/posts/{gone.id}")
    session.expunge_all()

    assert (await session.scalars(select(Post.id))).all() == [kept.id]
    assert await session.scalar(select(func.count()).select_from(Post)) == 1
    assert await session.get(Post, gone.id) is None
    joined = select(func.count()).select_from(User).join(User.posts)
    assert await session.scalar(joined) == 1
    for plan in (selectinload(User.posts), joinedload(User.posts)):
        session.expunge_all()
        author = (await session.scalars(select(User).options(plan))).unique().one()
        assert [post.id for post in author.posts] == [kept.id]
    renamed = update(Post).values(title="Renamed").returning(Post.id)
    assert (await session.scalars(renamed)).all() == [kept.id]


async def test_a_statement_may_ask_for_deleted_rows(
    client: AsyncClient, session: AsyncSession
) -> None:
    post = await make_post(session)
    await client.delete(f"/posts/{post.id}")
    every = select(Post.id).execution_options(include_deleted=True)
    assert (await session.scalars(every)).all() == [post.id]


async def test_uniqueness_holds_among_the_living(
    client: AsyncClient, session: AsyncSession
) -> None:
    for _ in range(2):
        user = await make_user(session, email="ada@example.org")
        await client.delete(f"/users/{user.id}")
    await make_user(session, email="ada@example.org")
    with pytest.raises(IntegrityError):
        await make_user(session, email="ada@example.org")
