"""Rows that are checked and then stored, while somebody else stores the same."""

from collections.abc import AsyncGenerator

import pytest
from sqlalchemy import URL, text

from app.kit.batch import checked
from app.kit.db.session import Database
from app.kit.errors import Conflict
from tests.rig.database import settings_for

CREATE = text("CREATE TABLE kit_words (word text PRIMARY KEY)")
INSERT = text("INSERT INTO kit_words VALUES ('same')")
DELETE = text("DELETE FROM kit_words")
COUNT = text("SELECT count(*) FROM kit_words")


@pytest.fixture
async def database(own_database_url: URL) -> AsyncGenerator[Database]:
    """A database with a table for words, in which no word is twice."""
    database = Database.open(settings_for(own_database_url).database, "kit")
    async with database.transaction() as session:
        await session.execute(CREATE)
    yield database
    await database.close()


async def store_among_others(database: Database, *, others_delete_it: bool) -> int:
    """Store a word that somebody else stores after the check; how often that was tried."""
    attempts = 0

    async def check() -> None:
        if others_delete_it:
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
        await checked(session, check, store)
    return attempts


async def count(database: Database) -> int:
    """How many words there are."""
    async with database.transaction() as session:
        return int(await session.scalar(COUNT) or 0)


async def test_what_is_no_longer_in_the_way_is_stored(database: Database) -> None:
    assert await store_among_others(database, others_delete_it=True) == 2
    assert await count(database) == 1


async def test_what_stays_in_the_way_is_a_conflict(database: Database) -> None:
    with pytest.raises(Conflict):
        await store_among_others(database, others_delete_it=False)
    assert await count(database) == 1
