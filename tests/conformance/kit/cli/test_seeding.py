"""`seed` runs the seeders of all features in one transaction, reproducibly."""

import asyncio
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import URL, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from typer.testing import CliRunner, Result

from app.about import NAME
from app.cli import SERVICE
from app.kit.cli.commands.seed import commands
from app.kit.cli.errors import CommandFailed
from app.kit.cli.seeding import Seed, Seeder
from app.kit.db.engine import build_migration_engine
from app.kit.migrations.runner import load_revisions
from tests.support.commands import environment, run
from tests.support.database import empty, settings_for

TABLE = """
    CREATE TABLE kit_seeded (id serial PRIMARY KEY, word text UNIQUE NOT NULL, parent_id integer)
"""


class Own(DeclarativeBase):
    """Base of the table of these tests, outside the service's own metadata."""


class Word(Own):
    """A word that may refer to another word."""

    __tablename__ = "kit_seeded"

    id: Mapped[int] = mapped_column(primary_key=True)
    word: Mapped[str]
    parent_id: Mapped[int | None]


WORD: Any = Word


async def seed_words(seed: Seed) -> None:
    """Add words, and one more word about each."""
    words = [f"{seed.number}-{number}-{seed.random.random()}" for number in range(seed.amount)]
    keys: Sequence[Any] = await seed.insert(WORD, [{"word": word} for word in words])
    about = zip(words, keys, strict=True)
    await seed.copy(WORD, ({"word": f"about {word}", "parent_id": key} for word, key in about))
    seed.advance(seed.amount)


async def fail(seed: Seed) -> None:
    """Use the random generator, and fail."""
    seed.random.random()
    raise CommandFailed("there is no more")


async def use_random(seed: Seed) -> None:
    """Use the random generator, which does not affect other seeders."""
    seed.random.random()


@pytest.fixture
def url(own_database_url: URL) -> URL:
    rows(own_database_url, TABLE)
    return own_database_url


def rows(url: URL, statement: str = "SELECT word FROM kit_seeded ORDER BY word") -> list[Any]:
    """Return the first column of a statement's rows."""

    async def query() -> list[Any]:
        engine = build_migration_engine(settings_for(url).database, "test")
        async with engine.begin() as connection:
            result = await connection.execute(text(statement))
            found = list(result.scalars()) if result.returns_rows else []
        await engine.dispose()
        return found

    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, query()).result()


def seed(url: URL, *seeders: Seeder, options: Sequence[str] = ()) -> Result:
    """Run the command in a service with these seeders."""
    service = replace(SERVICE, seeders=seeders)
    with environment(url):
        return CliRunner().invoke(commands, ["--amount", "3", *options], obj=service)


def test_rows_are_added_and_counted(url: URL) -> None:
    result = seed(url, seed_words)
    assert (result.exit_code, result.output) == (0, "kit_seeded: 6 added\n")
    parents = "SELECT count(*) FROM kit_seeded a JOIN kit_seeded b ON a.parent_id = b.id"
    assert rows(url, f"{parents} WHERE a.word = 'about ' || b.word") == [3]


def test_same_random_seed_adds_same_rows(url: URL) -> None:
    seed(url, seed_words)
    first = rows(url)
    rows(url, "DELETE FROM kit_seeded")
    # The first seeder does not affect the random numbers of the second.
    seed(url, use_random, seed_words)
    assert rows(url) == first
    seed(url, seed_words, options=["--random-seed", "2"])
    assert len(rows(url)) == 12


def test_existing_rows_are_rejected_and_nothing_is_added(url: URL) -> None:
    seed(url, seed_words)
    result = seed(url, seed_words)
    assert isinstance(result.exception, CommandFailed)
    assert "already exist" in str(result.exception)
    assert "--random-seed 2" in str(result.exception)
    assert len(rows(url)) == 6


def test_role_that_may_only_read_is_reported(url: URL) -> None:
    with reader_of(url) as reader:
        result = seed(reader, seed_words)
    assert isinstance(result.exception, CommandFailed)
    assert "permission denied for table kit_seeded" in str(result.exception)
    assert "Set DATABASE_URL to a role with the privileges" in str(result.exception)


@contextmanager
def reader_of(url: URL) -> Generator[URL]:
    """Yield the URL of a role that may only read."""
    rows(url, "CREATE ROLE kit_reader LOGIN IN ROLE pg_read_all_data")
    try:
        yield url.set(username="kit_reader")
    finally:
        rows(url, "DROP ROLE kit_reader")


def test_failing_seeder_rolls_back_earlier_seeders(url: URL) -> None:
    assert isinstance(seed(url, seed_words, fail).exception, CommandFailed)
    assert rows(url) == []


def test_service_without_seeders_names_the_setting(url: URL) -> None:
    assert "SEEDERS" in str(seed(url).exception)


def test_older_or_newer_schema_is_rejected(template: URL) -> None:
    with empty(template) as url:
        rows(url, "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)")
        pending = str(seed(url, seed_words).exception)
        assert f"`{NAME} migrate`" in pending or not load_revisions().heads
        rows(url, "INSERT INTO alembic_version VALUES ('kit_elsewhere')")
        message = str(seed(url, seed_words).exception)
    assert "kit_elsewhere, which the code does not have" in message
    assert "migrate" not in message


@pytest.mark.parametrize("amount", ["0", "-1", "x", "9" * 12])
def test_invalid_amount_is_rejected(amount: str) -> None:
    result = run(None, "seed", "--amount", amount)
    assert result.code == 2
    assert "--amount" in result.err
