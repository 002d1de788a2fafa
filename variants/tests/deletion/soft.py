"""Soft delete hides the row from every statement and keeps it in the table."""

from typing import Any

import pytest
from httpx2 import AsyncClient
from sqlalchemy import (
    Select,
    delete,
    exists,
    false,
    func,
    select,
    text,
    union_all,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased, joinedload, selectinload, subqueryload

from app.example.posts.models import Post
from app.example.users.models import User
from app.kit.db.base import utc_now
from app.kit.db.deletion import delete_row, delete_where
from app.kit.db.session import Database
from app.kit.writes.bulk import delete_in_batches, update_in_batches
from app.kit.writes.upsert import upsert_many
from tests.example.factories import make_post, make_user
from tests.support.statements import counting


async def test_deleted_row_is_kept_with_deleted_at(
    client: AsyncClient, session: AsyncSession
) -> None:
    user = await make_user(session)
    await client.delete(f"/users/{user.id}")
    deleted = await session.scalar(text("SELECT deleted_at FROM users"))
    assert deleted is not None


async def test_owned_rows_get_the_same_deleted_at(
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


@pytest.fixture
async def posts(client: AsyncClient, session: AsyncSession) -> tuple[User, Post, Post]:
    """An author with one deleted and one other post."""
    user = await make_user(session)
    gone, kept = await make_post(session, author=user), await make_post(session, author=user)
    await client.delete(f"/posts/{gone.id}")
    session.expunge_all()
    return user, gone, kept


def reads() -> dict[str, Select[Any]]:
    """Statements that read the ids of posts."""
    other = aliased(Post)
    through = select(Post.id).cte()
    return {
        "columns": select(Post.id),
        "core columns of a model": select(Post.__table__.c.id).select_from(Post),
        "a join": select(Post.id).select_from(User).join(User.posts),
        "an outer join": select(Post.id).select_from(User).outerjoin(User.posts),
        "an alias": select(other.id),
        "a self-join": select(other.id).join(Post, Post.id == other.id),
        "a subquery": select(select(Post.id).subquery().c.id),
        "a CTE": select(through.c.id),
        "a union": select(union_all(select(Post.id), select(Post.id).where(false())).subquery()),
        "EXISTS": select(Post.id).where(exists().where(other.id == Post.id)),
        "IN": select(Post.id).where(Post.id.in_(select(other.id))),
    }


@pytest.mark.parametrize("read", reads())
async def test_no_read_sees_a_deleted_row(
    posts: tuple[User, Post, Post], session: AsyncSession, read: str
) -> None:
    _, _, kept = posts
    assert (await session.scalars(reads()[read])).all() == [kept.id]


async def test_no_count_includes_a_deleted_row(
    posts: tuple[User, Post, Post], session: AsyncSession
) -> None:
    user, gone, _ = posts
    assert await session.scalar(select(func.count()).select_from(Post)) == 1
    joined = select(func.count()).select_from(User).join(User.posts)
    assert await session.scalar(joined) == 1
    by_author = select(Post.author_id, func.count()).group_by(Post.author_id)
    assert (await session.execute(by_author)).all() == [(user.id, 1)]
    correlated = select(func.count(Post.id)).where(Post.author_id == User.id).scalar_subquery()
    assert await session.scalar(select(correlated)) == 1
    users = select(User.id).where(User.posts.any(Post.id == gone.id))
    assert (await session.scalars(users)).all() == []


@pytest.mark.parametrize("load", [selectinload, joinedload, subqueryload])
async def test_relationships_do_not_contain_deleted_rows(
    posts: tuple[User, Post, Post], session: AsyncSession, load: Any
) -> None:
    _, _, kept = posts
    author = (await session.scalars(select(User).options(load(User.posts)))).unique().one()
    assert [post.id for post in author.posts] == [kept.id]
    await session.refresh(author, ["posts"])
    assert [post.id for post in author.posts] == [kept.id]


async def test_updates_and_deletes_skip_deleted_rows(
    posts: tuple[User, Post, Post], session: AsyncSession
) -> None:
    _, gone, kept = posts
    renamed = update(Post).values(title="Renamed").returning(Post.id)
    assert (await session.scalars(renamed)).all() == [kept.id]
    assert (await session.scalars(delete(Post).returning(Post.id))).all() == [kept.id]
    left = (await session.scalars(text("SELECT id FROM posts"))).all()
    assert [str(key) for key in left] == [str(gone.id)]


async def test_get_does_not_return_a_deleted_row_of_the_identity_map(
    session: AsyncSession,
) -> None:
    by_one, by_many = await make_post(session), await make_post(session)
    await delete_row(session, by_one)
    assert await delete_where(session, Post, Post.id == by_many.id) == 1
    for post in (by_one, by_many):
        assert await session.get(Post, post.id) is None
        found = await session.get(Post, post.id, execution_options={"include_deleted": True})
        assert found is post


async def test_to_one_relationship_to_a_deleted_row_is_none(session: AsyncSession) -> None:
    post = await make_post(session)
    # The service never deletes an author without the posts: see test_author_delete_race.py.
    await session.execute(text("UPDATE users SET deleted_at = now()"))
    for load in (joinedload, selectinload):
        session.expunge_all()
        found = await session.get_one(Post, post.id, options=[load(Post.author)])
        assert found.author is None


async def test_old_posts_are_hidden_in_batches(session: AsyncSession) -> None:
    for _ in range(5):
        await make_post(session)
    old = Post.updated_at < utc_now()
    assert await delete_in_batches(session, Post, old, size=3) == 5
    assert await delete_in_batches(session, Post, old, size=3) == 0
    assert await session.scalar(text("SELECT count(*) FROM posts WHERE deleted_at IS NULL")) == 0
    assert await session.scalar(text("SELECT count(*) FROM posts")) == 5


async def test_a_deleted_user_is_not_deactivated(session: AsyncSession) -> None:
    gone, _idle = await make_user(session), await make_user(session)
    await delete_row(session, gone)
    active = User.is_active.is_(True)
    assert await update_in_batches(session, User, active, values={"is_active": False}) == 1
    found = await session.scalars(text("SELECT id FROM users WHERE is_active"))
    assert [str(key) for key in found] == [str(gone.id)]


async def test_rows_are_deleted_by_criteria_with_owned_rows(session: AsyncSession) -> None:
    for _ in range(2):
        await make_post(session, author=await make_user(session, is_active=False))
    kept = await make_post(session)
    assert await delete_where(session, User, User.is_active.is_(False)) == 2
    assert await delete_where(session, User, User.is_active.is_(False)) == 0
    assert (await session.scalars(select(Post.id))).all() == [kept.id]
    assert await session.scalar(text("SELECT count(*) FROM posts")) == 3


@pytest.mark.parametrize("posts_of_each", [1, 20])
async def test_owned_rows_are_hidden_in_one_statement(
    client: AsyncClient, session: AsyncSession, database: Database, posts_of_each: int
) -> None:
    user = await make_user(session)
    for _ in range(posts_of_each):
        await make_post(session, author=user)
    with counting(database.engine) as statements:
        await client.delete(f"/users/{user.id}")
    assert len([sql for sql in statements if sql.startswith("UPDATE posts")]) == 1


async def test_upsert_ignores_deleted_rows(session: AsyncSession) -> None:
    row = {"email": "ada@example.org", "name": "Ada", "hashed_password": "-"}
    for expected in ((1, 0), (0, 1)):
        assert await upsert_many(session, User, [row], by=["email"]) == expected
    assert await delete_where(session, User) == 1
    assert await upsert_many(session, User, [row], by=["email"]) == (1, 0)


async def test_include_deleted_option_returns_deleted_rows(
    client: AsyncClient, session: AsyncSession
) -> None:
    post = await make_post(session)
    await client.delete(f"/posts/{post.id}")
    every = select(Post.id).execution_options(include_deleted=True)
    assert (await session.scalars(every)).all() == [post.id]


async def test_unique_index_ignores_deleted_rows(
    client: AsyncClient, session: AsyncSession
) -> None:
    for _ in range(2):
        user = await make_user(session, email="ada@example.org")
        await client.delete(f"/users/{user.id}")
    await make_user(session, email="ada@example.org")
    with pytest.raises(IntegrityError):
        await make_user(session, email="ada@example.org")


async def test_loader_criteria_are_created_once(
    session: AsyncSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_criteria: object, **_options: object) -> None:
        raise AssertionError

    monkeypatch.setattr("sqlalchemy.orm.with_loader_criteria", fail)
    assert (await session.scalars(select(User.id))).all() == []
