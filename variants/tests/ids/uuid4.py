"""Primary keys are random UUIDs."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tests.example.factories import make_tag


async def test_ids_are_uuid_version_4(session: AsyncSession) -> None:
    assert {(await make_tag(session)).id.version for _ in range(5)} == {4}


async def test_raw_insert_gets_an_id(session: AsyncSession) -> None:
    insert = text("INSERT INTO tags (name) VALUES ('by-hand') RETURNING id")
    assert (await session.execute(insert)).scalar_one().version == 4
