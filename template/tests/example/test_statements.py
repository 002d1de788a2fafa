"""The number of statements per endpoint does not depend on the number of rows."""

import pytest
from httpx2 import AsyncClient
from sqlalchemy.ext.asyncio import AsyncSession

from app.example.posts.models import Post
from app.example.tags.models import Tag
from app.example.users.models import Profile, User
from app.kit.db.session import Database
from tests.example.factories import make_post, make_tag, make_user
from tests.support.statements import counting

# These numbers hold for every lazy strategy: a view loads everything in one statement. A page that
# is not full needs no statement for its total.
LISTS = [
    ("/users?limit=100", 1),
    ("/tags?limit=100", 1),
    ("/posts?limit=100", 1),  # the posts with their authors and tags
    ("/posts/feed?limit=100", 1),  # the posts with their authors and tags
    ("/posts/statistics/by-author?limit=100", 2),  # the total, and the counts
]
SINGLE_READS = [
    ("/users/{user}", 1),  # the user with the profile
    ("/users/{user}/overview", 2),  # the user with the profile, and the newest posts
    ("/posts/{post}", 1),  # the post with its author and tags
    ("/posts/statistics", 1),
    ("/posts/statistics/by-day", 1),
]


async def make_rows(session: AsyncSession, rows: int) -> dict[str, str]:
    """Store users with profile and post, one tag per post; return the ids of one user and post."""
    posts = [
        Post(
            title=f"Post {number}",
            author=User(
                email=f"{number}@example.org",
                name=f"User {number}",
                hashed_password="-",
                profile=Profile(),
            ),
            tags=[Tag(name=f"tag-{number}")],
        )
        for number in range(rows)
    ]
    # One flush is much faster than one per row.
    session.add_all(posts)
    await session.commit()
    return {"user": str(posts[-1].author_id), "post": str(posts[-1].id)}


@pytest.mark.parametrize("rows", [1, 20])
@pytest.mark.parametrize(("path", "expected"), LISTS)
async def test_list_takes_constant_number_of_statements(
    client: AsyncClient,
    session: AsyncSession,
    database: Database,
    rows: int,
    path: str,
    expected: int,
) -> None:
    await make_rows(session, rows)
    with counting(database.engine) as statements:
        page = (await client.get(path)).json()
    assert len(page["items"]) == rows
    statements.assert_count(expected)


@pytest.mark.parametrize("rows", [1, 20])
@pytest.mark.parametrize(("path", "expected"), SINGLE_READS)
async def test_other_reads_take_constant_number_of_statements(
    client: AsyncClient,
    session: AsyncSession,
    database: Database,
    rows: int,
    path: str,
    expected: int,
) -> None:
    keys = await make_rows(session, rows)
    with counting(database.engine) as statements:
        assert (await client.get(path.format(**keys))).status_code == 200
    statements.assert_count(expected)


@pytest.mark.parametrize("posts", [1, 20])
async def test_post_of_author_with_many_posts_takes_one_statement(
    client: AsyncClient, session: AsyncSession, database: Database, posts: int
) -> None:
    author, tag = await make_user(session), await make_tag(session)
    posts_of_author = [await make_post(session, author=author, tags=[tag]) for _ in range(posts)]
    with counting(database.engine) as statements:
        await client.get(f"/posts/{posts_of_author[0].id}")
    statements.assert_count(1)


async def test_insert_returns_row_without_reading_it(
    client: AsyncClient, database: Database
) -> None:
    with counting(database.engine) as statements:
        await client.post("/tags", json={"name": "python"})
    statements.assert_count(1)
