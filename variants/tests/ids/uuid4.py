"""What the choice of primary key promises: random UUIDs."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tests.example.factories import make_tag


async def test_keys_are_of_version_4(session: AsyncSession) -> None:
    assert {(await make_tag(session)).id.version for _ in range(5)} == {4}


async def test_a_row_written_by_hand_has_a_key(session: AsyncSession) -> None:
    insert = text("INSERT INTO tags (name) VALUES ('by-hand') RETURNING id")
    assert (await session.execute(insert)).scalar_one().version == 4
