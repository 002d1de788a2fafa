"""PostgreSQL, with the rows that are read."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import asyncpg
from sqlalchemy import URL

from local_postgres import ephemeral

AUTHORS = 1_000
TAGS = 50
POSTS = 100_000
DEEP = 90_000
# The post that a client saw last before the deep page.
LAST_BEFORE_DEEP = POSTS - DEEP + 1
CURSOR_DATE = (
    f"{datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=LAST_BEFORE_DEEP):%Y-%m-%dT%H:%M:%SZ}"
)
# For every contender at once, and for the launcher.
CONNECTIONS = 300
NAME = "measured"


def key(kind: int, number: int) -> str:
    """The key of a row: of version 7, ordered by its number."""
    ordered = f"{number >> 16:04x}-7{number >> 4 & 0xFFF:03x}-8{number & 0xF:x}00"
    return f"0193{kind:04x}-{ordered}-000000000000"


def author(number: int) -> str:
    """The key of an author, from 0."""
    return key(1, number)


def post(number: int) -> str:
    """The key of a post, from 1."""
    return key(3, number)


_KEY = """(lpad(to_hex(26411008 + {kind}), 8, '0') || lpad(to_hex(n >> 16), 4, '0')
    || '7' || lpad(to_hex(n >> 4 & 4095), 3, '0') || '8' || to_hex(n & 15)
    || '00000000000000')::uuid"""


def _key(kind: int, number: str = "n") -> str:
    return _KEY.format(kind=kind).replace("n >>", f"{number} >>").replace("n &", f"{number} &")


_FILL = f"""
    SET session_replication_role = replica;
    INSERT INTO users (id, email, name, hashed_password)
      SELECT {_key(1)}, 'user' || n || '@example.org', 'User ' || n, ''
      FROM generate_series(0, {AUTHORS - 1}) n;
    INSERT INTO tags (id, name)
      SELECT {_key(2)}, 'tag-' || n FROM generate_series(0, {TAGS - 1}) n;
    INSERT INTO posts (id, author_id, title, body, created_at, updated_at)
      SELECT {_key(3)}, {_key(1, f"(n % {AUTHORS})")}, 'Post ' || n, repeat('word ', 40), t, t
      FROM generate_series(1, {POSTS}) n,
        LATERAL (SELECT '2025-01-01Z'::timestamptz + n * interval '1 minute' AS t) written;
    INSERT INTO post_tags (post_id, tag_id)
      SELECT {_key(3)}, {_key(2, f"((n + 17 * tag) % {TAGS})")}
      FROM generate_series(1, {POSTS}) n, generate_series(0, 2) tag;
    ANALYZE;
"""


@contextmanager
def server() -> Iterator[URL]:
    """A server of its own with an empty database, gone at the end."""
    with ephemeral(max_connections=CONNECTIONS) as url:
        run(url, f"CREATE DATABASE {NAME}")
        yield url.set(database=NAME)


def fill(url: URL) -> None:
    """Fill the migrated tables."""
    run(url, _FILL)


def forget_what_was_created(url: URL) -> None:
    """Leave only the rows of the filling, so that every measurement finds the same tables."""
    run(url, "DELETE FROM posts WHERE created_at > '2026-01-01'", "VACUUM posts")


def version(url: URL) -> str:
    """The version of the server."""
    return str(asyncio.run(_execute(url, "SHOW server_version")))


def run(url: URL, *statements: str) -> None:
    for statement in statements:
        asyncio.run(_execute(url, statement))


async def _execute(url: URL, statement: str) -> object:
    connection = await asyncpg.connect(driver_url(url))
    try:
        if statement.startswith("SHOW"):
            return await connection.fetchval(statement)
        return await connection.execute(statement)
    finally:
        await connection.close()


def driver_url(url: URL) -> str:
    """The URL as the driver takes it by itself."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)
