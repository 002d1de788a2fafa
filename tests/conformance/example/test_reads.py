"""Read methods of repositories."""

import pytest
from httpx2 import AsyncClient
from sqlalchemy import Select, select, text
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncSession

from app.example.posts.repository import POST_OUT, POSTS, PostRepository, matching
from app.example.posts.schemas import PostQuery
from app.example.tags.models import Tag
from app.example.tags.repository import TagRepository
from app.example.users.models import User
from app.example.users.repository import USER_OUT, UserRepository
from app.kit.db.session import Database
from app.kit.queries import repository
from app.kit.queries.repository import load_options
from app.kit.writes.copy import copy_rows
from tests.example.factories import make_post, make_tag, make_user
from tests.example.http_requests import count_rows_scanned
from tests.support.statements import counting


async def test_get_many_accepts_more_ids_than_parameters(
    session: AsyncSession, database: Database
) -> None:
    await copy_rows(session, Tag, ({"name": f"tag-{number}"} for number in range(40_000)))
    keys = list(await session.scalars(select(Tag.id).order_by(Tag.name)))
    with counting(database.engine) as statements:
        found = await TagRepository(session).get_many(keys, *load_options())
    statements.assert_count(1)
    assert [tag.id for tag in found] == sorted(keys)


async def test_get_many_returns_each_row_once_sorted_by_id(
    client: AsyncClient, session: AsyncSession
) -> None:
    posts = [await make_post(session, tags=[await make_tag(session)]) for _ in range(3)]
    await client.delete(f"/posts/{posts[1].id}")
    session.expunge_all()
    keys = [posts[2].id, posts[0].id, posts[1].id, posts[0].id]
    found = await PostRepository(session).get_many(keys, *POST_OUT)
    assert [post.id for post in found] == sorted([posts[0].id, posts[2].id])
    assert all(post.tags for post in found)
    assert await PostRepository(session).get_many([]) == []


async def test_row_is_found_by_unique_column(session: AsyncSession) -> None:
    user = await make_user(session, email="ada@example.org")
    users = UserRepository(session)
    assert await users.by_email("ADA@example.org") is user
    assert await users.by_email("bob@example.org") is None


async def test_exists_does_not_count(
    client: AsyncClient, session: AsyncSession, database: Database
) -> None:
    user, users = await make_user(session, name="Ada"), UserRepository(session)
    with counting(database.engine) as statements:
        assert await users.exists(User.name == "Ada")
    assert "EXISTS" in statements[0]
    assert not await users.exists(User.name == "Ada", User.is_active.is_(False))
    await client.delete(f"/users/{user.id}")
    assert not await users.exists(User.name == "Ada")


async def test_count_applies_conditions(client: AsyncClient, session: AsyncSession) -> None:
    users = UserRepository(session)
    for number in range(4):
        await make_user(session, is_active=number > 0)
    deleted = await make_user(session)
    await client.delete(f"/users/{deleted.id}")
    assert await users.count() == 4
    assert await users.count(User.is_active.is_(True)) == 3


async def test_count_stops_at_limit(session: AsyncSession, database: Database) -> None:
    users = UserRepository(session)
    for number in range(4):
        await make_user(session, is_active=number > 0)
    assert await users.count(at_most=3) == 3
    assert await users.count(User.is_active.is_(True), at_most=3) == 3
    assert await users.count(at_most=5) == 4
    # PostgreSQL scans no further rows either.
    assert await count_rows_scanned(database, session, "users", users.count(at_most=3)) == 3


async def test_page_loads_relationships_only_for_its_own_rows(
    session: AsyncSession, database: Database
) -> None:
    author, tag = await make_user(session), await make_tag(session)
    for _ in range(8):
        await make_post(session, author=author, tags=[tag])
    await session.execute(text("ANALYZE posts"))
    query = PostQuery.model_validate({"limit": 2, "offset": 5})
    page = POSTS.page(session, query, matching(query))
    assert await count_rows_scanned(database, session, "users", page) == 2


async def test_get_compiles_its_statement_once(
    session: AsyncSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    users, people = UserRepository(session), [await make_user(session) for _ in range(4)]
    await users.get(people[0].id, *USER_OUT)
    await users.delete(people[1].id)

    def fail(*_columns: object) -> None:
        raise AssertionError

    monkeypatch.setattr(repository, "select", fail)
    with monkeypatch.context() as within:
        # The soft-delete filter is not added again either.
        within.setattr(Select, "options", fail)
        assert await users.get(people[2].id, *USER_OUT) is people[2]
    await users.delete(people[3].id)


async def test_relationship_outside_load_options_raises(
    session: AsyncSession,
) -> None:
    post = await make_post(session, tags=[await make_tag(session)])
    author_id = post.author_id
    session.expunge_all()
    user = await UserRepository(session).get(author_id, *USER_OUT)
    with pytest.raises(InvalidRequestError):
        _ = user.posts
    session.expunge_all()
    post = await PostRepository(session).get(post.id, *POST_OUT)
    with pytest.raises(InvalidRequestError):
        _ = post.author.posts
    with pytest.raises(InvalidRequestError):
        _ = post.tags[0].posts
