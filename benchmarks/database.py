"""PostgreSQL with the rows that the targets read."""

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
# The offset of the deep page.
DEEP = 90_000
# The last post of the page before the deep page.
LAST_BEFORE_DEEP = POSTS - DEEP + 1
CURSOR_DATE = (
    f"{datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=LAST_BEFORE_DEEP):%Y-%m-%dT%H:%M:%SZ}"
)
# Enough for all targets at the same time.
CONNECTIONS = 300
NAME = "measured"


# Kinds of rows, as a part of their primary keys.
_AUTHOR, _TAG, _POST = 1, 2, 3


def uuid_of_row(kind: int, number: int) -> str:
    """Return the primary key of a row: a UUIDv7 that sorts by number within a kind of row."""
    ordered = f"{number >> 16:04x}-7{number >> 4 & 0xFFF:03x}-8{number & 0xF:x}00"
    return f"0193{kind:04x}-{ordered}-000000000000"


def author(number: int) -> str:
    """Return the primary key of an author, numbered from 0."""
    return uuid_of_row(_AUTHOR, number)


def post(number: int) -> str:
    """Return the primary key of a post, numbered from 1."""
    return uuid_of_row(_POST, number)


# The same UUID as an SQL expression of the number `n`.
_UUID_EXPRESSION = """(lpad(to_hex(26411008 + {kind}), 8, '0') || lpad(to_hex(n >> 16), 4, '0')
    || '7' || lpad(to_hex(n >> 4 & 4095), 3, '0') || '8' || to_hex(n & 15)
    || '00000000000000')::uuid"""


def _uuid_expression(kind: int, number: str = "n") -> str:
    return (
        _UUID_EXPRESSION.format(kind=kind)
        .replace("n >>", f"{number} >>")
        .replace("n &", f"{number} &")
    )


_INSERT_ROWS = f"""
    SET session_replication_role = replica;
    INSERT INTO users (id, email, name, hashed_password)
      SELECT {_uuid_expression(_AUTHOR)}, 'user' || n || '@example.org', 'User ' || n, ''
      FROM generate_series(0, {AUTHORS - 1}) n;
    INSERT INTO tags (id, name)
      SELECT {_uuid_expression(_TAG)}, 'tag-' || n FROM generate_series(0, {TAGS - 1}) n;
    INSERT INTO posts (id, author_id, title, body, created_at, updated_at)
      SELECT {_uuid_expression(_POST)}, {_uuid_expression(_AUTHOR, f"(n % {AUTHORS})")},
        'Post ' || n, repeat('word ', 40), t, t
      FROM generate_series(1, {POSTS}) n,
        LATERAL (SELECT '2025-01-01Z'::timestamptz + n * interval '1 minute' AS t) written;
    INSERT INTO post_tags (post_id, tag_id)
      SELECT {_uuid_expression(_POST)}, {_uuid_expression(_TAG, f"((n + 17 * tag) % {TAGS})")}
      FROM generate_series(1, {POSTS}) n, generate_series(0, 2) tag;
    ANALYZE;
"""


@contextmanager
def server() -> Iterator[URL]:
    """Start a temporary server with an empty database."""
    with ephemeral(max_connections=CONNECTIONS) as url:
        run(url, f"CREATE DATABASE {NAME}")
        yield url.set(database=NAME)


def insert_rows(url: URL) -> None:
    """Insert the rows into the migrated tables."""
    run(url, _INSERT_ROWS)


def delete_created_rows(url: URL) -> None:
    """Delete rows that requests created, so that every measurement has the same tables."""
    run(url, "DELETE FROM posts WHERE created_at > '2026-01-01'", "VACUUM posts")


def version(url: URL) -> str:
    """Return the version of the server."""
    return str(asyncio.run(_execute(url, "SHOW server_version")))


def run(url: URL, *statements: str) -> None:
    """Execute statements, each in its own connection."""
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
    """Return the URL as asyncpg expects it."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)
