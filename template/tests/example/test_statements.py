"""How many statements an endpoint sends, however many rows there are."""

import pytest
from httpx2 import AsyncClient
from sqlalchemy.ext.asyncio import AsyncSession

from app.kit.db.session import Database
from tests.example.factories import make_post, make_tag
from tests.rig.statements import counting


@pytest.mark.parametrize("rows", [1, 20])
async def test_a_list_of_posts_takes_as_many_statements_for_one_row_as_for_many(
    client: AsyncClient, session: AsyncSession, database: Database, rows: int
) -> None:
    for _ in range(rows):
        await make_post(session, tags=[await make_tag(session)])
    with counting(database.engine) as statements:
        page = (await client.get("/posts")).json()
    assert len(page["items"]) == rows
    # The total, the posts with their authors, their tags; a strategy that loads along adds its own.
    assert len(statements) <= 4, statements


async def test_a_write_returns_its_row_without_reading_it_back(
    client: AsyncClient, database: Database
) -> None:
    with counting(database.engine) as statements:
        await client.post("/tags", json={"name": "python"})
    statements.assert_count(1)
