"""Print the query plans of the service's statements. Run with the interpreter of the service.

    python -m benchmarks.query_plans URL [NAME ...]

The functions of the service run on its own, small database, and their statements are recorded. The
database at the URL, which may be large, only explains them.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession

from app.example.posts import statistics
from app.example.posts.repository import PostRepository
from app.example.posts.schemas import FeedQuery, PostQuery
from app.example.users.repository import UserRepository
from app.example.users.schemas import UserQuery
from app.kit.db.session import Database
from app.kit.page import PageQuery
from app.settings import Settings

Ask = Callable[[AsyncSession], Awaitable[Any]]

ASKED: dict[str, Ask] = {
    "feed, page 1": lambda session: PostRepository(session).feed(FeedQuery()),
    "posts by offset, page 5,000": lambda session: PostRepository(session).search(
        PostQuery(offset=99_980)
    ),
    "users, page 1 by offset": lambda session: UserRepository(session).search(UserQuery()),
    "search users": lambda session: UserRepository(session).search(UserQuery(q="0004242")),
    "totals": statistics.totals,
    "posts by author": lambda session: statistics.by_author(session, PageQuery()),
}


async def main(url: str, names: list[str]) -> None:
    """Print the plans of all statements as JSON."""
    database = Database.open(Settings.load().database, "plans")
    explained = await asyncpg.connect(url)
    plans = {
        name: [await _plan(explained, *sent) for sent in await _statements(database, ASKED[name])]
        for name in names or ASKED
    }
    print(json.dumps(plans))
    await explained.close()
    await database.close()


async def _statements(database: Database, ask: Ask) -> list[tuple[str, Any]]:
    noted: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_rest: Any) -> None:
        noted.append((statement, values))

    engine = database.reading_engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    async with database.reading() as session:
        await ask(session)
    event.remove(engine, "before_cursor_execute", note)
    return noted


async def _plan(connection: Any, statement: str, values: Any) -> list[str]:
    rows = await connection.fetch(f"EXPLAIN (COSTS off) {statement}", *values)
    return [line for (line,) in rows]


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2:]))
