"""How many statements an endpoint sends: as many for many rows as for one."""

import pytest
from httpx2 import AsyncClient
from sqlalchemy.ext.asyncio import AsyncSession

from app.example.posts.models import Post
from app.example.tags.models import Tag
from app.example.users.models import Profile, User
from app.kit.db.session import Database
from tests.example.factories import make_post, make_tag, make_user
from tests.rig.statements import counting

# Whatever the lazy strategy: a view reads everything in one statement. The total of a page that is
# not full takes none.
LISTS = [
    ("/users?limit=100", 1),
    ("/tags?limit=100", 1),
    ("/posts?limit=100", 1),  # the posts with their authors and tags
    ("/posts/feed?limit=100", 1),  # the posts with their authors and tags
    ("/posts/statistics/by-author?limit=100", 2),  # the total, the counts
]
OTHERS = [
    ("/users/{user}", 1),  # the user with the profile
    ("/users/{user}/overview", 2),  # the user with the profile, the newest posts
    ("/posts/{post}", 1),  # the post with its author and tags
    ("/posts/statistics", 1),
    ("/posts/statistics/by-day", 1),
]


async def make_rows(session: AsyncSession, rows: int) -> dict[str, str]:
    """As many users with profile, posts with tags, and tags; the keys of one of each."""
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
    # Together: one after the other takes longer than what is asked of them.
    session.add_all(posts)
    await session.commit()
    return {"user": str(posts[-1].author_id), "post": str(posts[-1].id)}


@pytest.mark.parametrize("rows", [1, 50])
@pytest.mark.parametrize(("path", "expected"), LISTS)
async def test_a_list_takes_as_many_statements_for_one_row_as_for_fifty(
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


@pytest.mark.parametrize("rows", [1, 50])
@pytest.mark.parametrize(("path", "expected"), OTHERS)
async def test_any_other_read_does_too(
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


@pytest.mark.parametrize("posts", [1, 50])
async def test_a_post_of_a_user_with_many_takes_no_more_statements(
    client: AsyncClient, session: AsyncSession, database: Database, posts: int
) -> None:
    author, tag = await make_user(session), await make_tag(session)
    written = [await make_post(session, author=author, tags=[tag]) for _ in range(posts)]
    with counting(database.engine) as statements:
        await client.get(f"/posts/{written[0].id}")
    statements.assert_count(1)


async def test_a_write_returns_its_row_without_reading_it_back(
    client: AsyncClient, database: Database
) -> None:
    with counting(database.engine) as statements:
        await client.post("/tags", json={"name": "python"})
    statements.assert_count(1)
