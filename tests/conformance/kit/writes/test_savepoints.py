"""Savepoints, and rows that conflict with a concurrent insert after they were validated."""

from collections.abc import AsyncGenerator

import pytest
from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.kit.db.session import Database
from app.kit.errors.problems import Conflict, Invalid
from app.kit.writes.request_checks import validate_then_store
from app.kit.writes.transactions import savepoint
from tests.support.database import settings_for

CREATE = text("CREATE TABLE kit_words (word text PRIMARY KEY)")
INSERT = text("INSERT INTO kit_words VALUES ('same')")
DELETE = text("DELETE FROM kit_words")
COUNT = text("SELECT count(*) FROM kit_words")


@pytest.fixture
async def database(own_database_url: URL) -> AsyncGenerator[Database]:
    """A database with a table of unique words."""
    database = Database.open(settings_for(own_database_url).database, "kit")
    async with database.transaction() as session:
        await session.execute(CREATE)
    yield database
    await database.close()


async def store_with_concurrent_insert(database: Database, *, delete_conflicting_row: bool) -> int:
    """Store a word that another transaction inserts after the check; return the attempts."""
    attempts = 0

    async def check() -> None:
        if delete_conflicting_row:
            async with database.transaction() as other:
                await other.execute(DELETE)

    async def store() -> None:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            async with database.transaction() as other:
                await other.execute(INSERT)
        await session.execute(INSERT)

    async with database.transaction() as session:
        await validate_then_store(session, check, store)
    return attempts


async def count(database: Database) -> int:
    """Return the number of words."""
    async with database.transaction() as session:
        return int(await session.scalar(COUNT) or 0)


async def test_row_is_stored_after_conflicting_row_is_deleted(database: Database) -> None:
    assert await store_with_concurrent_insert(database, delete_conflicting_row=True) == 2
    assert await count(database) == 1


async def test_remaining_conflicting_row_is_a_conflict(database: Database) -> None:
    with pytest.raises(Conflict):
        await store_with_concurrent_insert(database, delete_conflicting_row=False)
    assert await count(database) == 1


@pytest.mark.parametrize(
    "rejecting",
    ["CAST(:value AS date)", "CAST(CAST(:value AS text) AS date)"],
    ids=["driver", "server"],
)
async def test_invalid_value_rolls_back_only_the_savepoint(
    database: Database, rejecting: str
) -> None:
    async def delete_and_fail(session: AsyncSession) -> None:
        async with savepoint(session):
            await session.execute(DELETE)
            await session.execute(text(f"SELECT {rejecting}"), {"value": "some day"})

    async with database.transaction() as session:
        await session.execute(INSERT)
        with pytest.raises(Invalid):
            await delete_and_fail(session)
    assert await count(database) == 1
