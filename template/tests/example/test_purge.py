"""The purge command permanently deletes rows that were soft-deleted long ago."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.example.orders.models import Order
from app.example.users.models import Profile, User
from app.kit.db.base import utc_now
from app.kit.db.deletion import delete_row
from app.kit.db.session import Database
from app.kit.db.soft_delete import set_deleted_at_of_owned
from app.kit.writes.deleted_rows import purge
from tests.example.factories import make_post, make_tag, make_user
from tests.support.commands import run
from tests.support.statements import counting

TABLES = ("users", "profiles", "posts", "post_tags", "orders", "order_lines", "products")
LONG_AGO = utc_now() - timedelta(days=40)
RECENTLY = utc_now() - timedelta(days=20)


async def delete_user(session: AsyncSession, when: datetime) -> User:
    """Store a user with a post, and soft-delete both at this time."""
    user = await make_user(session, profile=Profile())
    await make_post(session, author=user, tags=[await make_tag(session)])
    await delete_row(session, user)
    times = {"old": user.deleted_at, "new": when}
    await session.run_sync(set_deleted_at_of_owned, User, [user.id], **times)
    user.deleted_at = when
    await session.commit()
    return user


async def count_rows(database: Database) -> list[int]:
    """Return the number of rows per table, soft-deleted rows included."""
    async with database.transaction() as session:
        return [await session.scalar(text(f"SELECT count(*) FROM {name}")) or 0 for name in TABLES]


async def test_purge_deletes_old_rows_with_their_children(
    own_database: Database, own_database_url: URL
) -> None:
    async with own_database.sessions() as session:
        for when in (LONG_AGO, LONG_AGO, RECENTLY):
            await delete_user(session, when)
        await make_post(session)
    assert await count_rows(own_database) == [4, 3, 4, 3, 0, 0, 0]
    result = run(own_database_url, "purge", "--days", "30")
    assert result.code == 0, result.err
    assert "users: 2 removed" in result.out
    assert "posts: 2 removed" in result.out
    assert await count_rows(own_database) == [2, 1, 2, 1, 0, 0, 0]


async def test_purge_works_in_batches_and_keeps_referenced_rows(own_database: Database) -> None:
    async with own_database.sessions() as session:
        buyer = await delete_user(session, LONG_AGO)
        session.add(Order(user_id=buyer.id, lines=[]))
        for _ in range(6):
            await delete_user(session, LONG_AGO)
    with counting(own_database.engine) as statements:
        removed = await purge(own_database, before=RECENTLY, size=3)
    assert removed["users"] == 6
    assert removed["posts"] == 7
    assert len([sql for sql in statements if sql.startswith("DELETE FROM posts")]) == 3
    assert await count_rows(own_database) == [1, 1, 0, 0, 1, 0, 0]


@pytest.mark.parametrize("options", [[], ["--days", "0"], ["--days", "36501"]])
def test_invalid_number_of_days_is_rejected(options: list[str]) -> None:
    assert run(None, "purge", *options).code == 2
