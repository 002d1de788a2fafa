"""What the choice of primary key promises: integers, counted by PostgreSQL."""

from httpx2 import AsyncClient
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tests.example.factories import make_tag


async def test_keys_count_up(session: AsyncSession) -> None:
    keys = [(await make_tag(session)).id for _ in range(5)]
    assert keys == sorted(keys)


async def test_a_row_written_by_hand_has_a_key(session: AsyncSession) -> None:
    insert = text("INSERT INTO tags (name) VALUES ('by-hand') RETURNING id")
    assert isinstance(await session.scalar(insert), int)


async def test_the_largest_key_is_a_key_and_one_more_is_not(client: AsyncClient) -> None:
    assert (await client.get(f"/tags/{2**63 - 1}")).status_code == 404
    assert (await client.get(f"/tags/{2**63}")).status_code == 422
