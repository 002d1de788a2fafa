"""Insert rows with the COPY of the service. Run with the interpreter of the service.

python -m benchmarks.load_data USERS POSTS
"""

import asyncio
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from time import monotonic
from typing import Any

from sqlalchemy import select

from app.example.posts.models import Post
from app.example.users.models import User
from app.kit.db.session import Database
from app.kit.writes.copy import copy_rows
from app.settings import Settings

# One transaction per batch, so that each statement ends before the statement timeout.
BATCH_SIZE = 200_000
# A prime, so that posts in sequence have different authors and every author has posts.
STRIDE = 7919
WORDS = ("amber", "basalt", "cedar", "delta", "ember", "fjord", "grove", "harbour", "island")
PUBLISHED = datetime(2025, 1, 1, tzinfo=UTC)


def users(count: int) -> Iterator[dict[str, Any]]:
    """Generate users with different names."""
    for number in range(count):
        name = f"{WORDS[number % 9]} {WORDS[number // 9 % 9]} {number:07}"
        yield {"email": f"user{number}@example.org", "name": name, "hashed_password": ""}


def posts(count: int, authors: list[Any]) -> Iterator[dict[str, Any]]:
    """Generate posts by all authors, published over one year."""
    step = timedelta(days=365) / count
    for number in range(count):
        yield {
            "author_id": authors[number * STRIDE % len(authors)],
            "title": f"{WORDS[number % 9]} {number}",
            "body": "word " * 20,
            "published_at": PUBLISHED + number * step,
        }


async def main(user_count: int, post_count: int) -> None:
    """Insert users and posts."""
    database = Database.open(Settings.load().database, "load_data")
    try:
        await _copy(database, User, users(user_count), user_count)
        async with database.reading() as session:
            authors = list(await session.scalars(select(User.id).order_by(User.id)))
        await _copy(database, Post, posts(post_count, authors), post_count)
    finally:
        await database.close()


async def _copy(database: Database, model: Any, rows: Iterable[dict[str, Any]], count: int) -> None:
    rows, done, started = iter(rows), 0, monotonic()
    while done < count:
        async with database.transaction() as session:
            done += await copy_rows(session, model, islice(rows, BATCH_SIZE))
        rate = done / (monotonic() - started)
        print(f"{model.__tablename__} {done} {count} {rate:.0f}", flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
