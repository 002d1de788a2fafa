"""A view returns the same bytes as a response serialized from entities."""

from datetime import UTC, datetime, timedelta
from typing import Any

from httpx2 import AsyncClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.example.posts.models import Post
from app.example.posts.repository import POST_OUT, SORT_ORDERS
from app.example.posts.schemas import PostOut, PostSort
from app.example.tags.models import Tag
from tests.example.factories import make_post, make_tag, make_user

# All text that PostgreSQL can store, up to the column width.
CHARACTERS = st.characters(exclude_characters="\x00", exclude_categories=["Cs"])
TEXTS = st.text(CHARACTERS, max_size=200)
DAY = datetime(2026, 1, 1, tzinfo=UTC)
TIMESTAMPS = st.timedeltas(timedelta(days=-40_000), timedelta(days=40_000)).map(DAY.__add__)
POSTS = st.lists(
    st.fixed_dictionaries(
        {
            "title": TEXTS,
            "body": TEXTS,
            "published_at": st.none() | TIMESTAMPS | st.just(DAY),
            "created_at": TIMESTAMPS,
            "updated_at": TIMESTAMPS,
        }
    ),
    max_size=5,
)


async def serialized_from_entities(session: AsyncSession) -> bytes:
    """Return the newest posts as JSON, serialized from entities."""
    order = SORT_ORDERS[PostSort.NEWEST]
    newest = select(Post).order_by(*order.clauses).limit(20).options(*POST_OUT)
    found = await session.scalars(newest.execution_options(populate_existing=True))
    posts = [PostOut.model_validate(post) for post in found]
    return TypeAdapter(list[PostOut]).dump_json(posts)


@settings(
    max_examples=25,
    deadline=None,
    # Safe because each example deletes all posts.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(posts=POSTS, name=TEXTS)
async def test_newest_posts_equal_serialized_entities(
    client: AsyncClient, session: AsyncSession, posts: list[dict[str, Any]], name: str
) -> None:
    await session.execute(delete(Post))
    author = await make_user(session, name=name)
    for post in posts:
        await make_post(session, author=author, **post)
    response = await client.get("/posts/newest")
    assert response.headers["Content-Type"] == "application/json"
    assert response.content == await serialized_from_entities(session)


async def test_tags_are_sorted_by_name(client: AsyncClient, session: AsyncSession) -> None:
    tags: list[Tag] = [await make_tag(session, name) for name in ("sql", "async", "python")]
    await make_post(session, tags=tags)
    await make_post(session, tags=tags[:1])
    await make_post(session)
    assert (await client.get("/posts/newest")).content == await serialized_from_entities(session)
    newest = (await client.get("/posts/newest", params={"limit": 3})).json()
    assert [[tag["name"] for tag in post["tags"]] for post in newest] == [
        [],
        ["sql"],
        ["async", "python", "sql"],
    ]


async def test_limit_bounds_number_of_posts(client: AsyncClient, session: AsyncSession) -> None:
    for _ in range(3):
        await make_post(session)
    assert len((await client.get("/posts/newest", params={"limit": 2})).json()) == 2
    assert (await client.get("/posts/newest", params={"limit": 101})).status_code == 422


async def test_deleted_post_is_not_listed(client: AsyncClient, session: AsyncSession) -> None:
    post = await make_post(session)
    assert (await client.delete(f"/posts/{post.id}")).status_code == 204
    assert (await client.get("/posts/newest")).json() == []
