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
from app.example.posts.repository import POSTS, SORT_ORDERS
from app.example.posts.repository import matching as matching_posts
from app.example.posts.schemas import FeedQuery, PostQuery
from app.example.users.repository import USERS
from app.example.users.repository import matching as matching_users
from app.example.users.schemas import UserQuery
from app.kit.db.session import Database
from app.kit.queries.pagination import PageQuery
from app.settings import Settings

Query = Callable[[AsyncSession], Awaitable[Any]]


async def feed(session: AsyncSession) -> None:
    """Read the first page of the feed."""
    query = FeedQuery.model_validate({})
    await POSTS.feed(session, query, matching_posts(query), SORT_ORDERS[query.sort])


async def posts(session: AsyncSession) -> None:
    """Read page 5,000 of the posts."""
    query = PostQuery.model_validate({"offset": 99_980})
    await POSTS.page(session, query, matching_posts(query))


async def users(session: AsyncSession, **parameters: Any) -> None:
    """Read the first page of the users."""
    query = UserQuery.model_validate(parameters)
    await USERS.page(session, query, matching_users(query))


QUERIES: dict[str, Query] = {
    "feed, page 1": feed,
    "posts by offset, page 5,000": posts,
    "users, page 1 by offset": users,
    "search users": lambda session: users(session, q="0004242"),
    "totals": statistics.totals,
    "posts by author": lambda session: statistics.by_author(session, PageQuery.model_validate({})),
}


async def main(url: str, names: list[str]) -> None:
    """Print the plans of all statements as JSON."""
    database = Database.open(Settings.load().database, "plans")
    explained = await asyncpg.connect(url)
    plans = {
        name: [await _plan(explained, *sent) for sent in await _statements(database, QUERIES[name])]
        for name in names or QUERIES
    }
    print(json.dumps(plans))
    await explained.close()
    await database.close()


async def _statements(database: Database, query: Query) -> list[tuple[str, Any]]:
    statements: list[tuple[str, Any]] = []

    def record(_connection: Any, _cursor: Any, statement: str, values: Any, *_rest: Any) -> None:
        statements.append((statement, values))

    engine = database.read_engine.sync_engine
    event.listen(engine, "before_cursor_execute", record)
    async with database.reading() as session:
        await query(session)
    event.remove(engine, "before_cursor_execute", record)
    return statements


async def _plan(connection: Any, statement: str, values: Any) -> list[str]:
    rows = await connection.fetch(f"EXPLAIN (COSTS off) {statement}", *values)
    return [line for (line,) in rows]


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2:]))
