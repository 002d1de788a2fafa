"""What deleting promises: the row is gone, and all it owned with it."""

from httpx2 import AsyncClient
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.example.users.models import Profile
from tests.example.factories import make_post, make_tag, make_user

TABLES = ("users", "profiles", "posts", "post_tags")


async def test_deleting_a_user_removes_what_they_own(
    client: AsyncClient, session: AsyncSession
) -> None:
    user = await make_user(session, profile=Profile())
    await make_post(session, author=user, tags=[await make_tag(session)])
    assert (await client.delete(f"/users/{user.id}")).status_code == 204
    for table in TABLES:
        assert await session.scalar(text(f"SELECT count(*) FROM {table}")) == 0
    assert await session.scalar(text("SELECT count(*) FROM tags")) == 1


async def test_the_children_are_left_to_the_database(
    client: AsyncClient, session: AsyncSession
) -> None:
    user = await make_user(session)
    for _ in range(3):
        await make_post(session, author=user)
    update = "CREATE RULE no_update AS ON UPDATE TO posts DO INSTEAD SELECT 1 / 0"
    await session.execute(text(update))
    await session.commit()
    # ON DELETE CASCADE does it: an UPDATE of each child would fail here.
    assert (await client.delete(f"/users/{user.id}")).status_code == 204
