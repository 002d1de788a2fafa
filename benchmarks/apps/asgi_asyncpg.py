"""The baseline: raw ASGI and asyncpg, without validation, one statement per request."""

import os
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

import asyncpg
import orjson
from uuid_utils.compat import uuid7

from benchmarks.apps.statements import (
    COLUMNS,
    COUNT,
    CREATE,
    DETAIL,
    LIST,
    NEXT_PAGE,
    READ,
    UPDATE,
    skip_reset,
)

pool: asyncpg.Pool


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Handle one request."""
    if scope["type"] == "lifespan":
        return await _lifespan(receive, send)
    path, method = scope["path"], scope["method"]
    if method == "GET":
        if path.startswith("/rows/"):
            return await _send(send, _json(await pool.fetchrow(READ, UUID(path[6:]))))
        if path.startswith("/posts/"):
            return await _send(send, (await pool.fetchval(DETAIL, UUID(path[7:]))).encode())
        query = parse_qs(scope["query_string"].decode())
        limit = int(query["limit"][0])
        if path == "/posts":
            return await _send(send, (await pool.fetchval(LIST, limit)).encode())
        if path == "/page":
            async with pool.acquire() as connection:
                total = await connection.fetchval(COUNT)
                posts = await connection.fetchval(LIST, limit)
            return await _send(send, f'{{"items":{posts},"total":{total}}}'.encode())
        created_at, key = datetime.fromisoformat(query["created_at"][0]), UUID(query["id"][0])
        return await _send(send, (await pool.fetchval(NEXT_PAGE, limit, created_at, key)).encode())
    body = orjson.loads(await _body(receive))
    now = datetime.now(UTC)
    if method == "PATCH":
        changes = body.get("title"), body.get("body"), now
        row = await pool.fetchrow(UPDATE, UUID(path[6:]), *changes)
        return await _send(send, _json(row))
    if path == "/rows":
        row = await pool.fetchrow(CREATE, *_record(body, now)[:-1])
        return await _send(send, _json(row), 201)
    records = [_record(row, now) for row in body["rows"]]
    async with pool.acquire() as connection:
        await connection.copy_records_to_table("posts", columns=COLUMNS, records=records)
    return await _send(send, orjson.dumps({"ids": [record[0] for record in records]}), 201)


def _json(row: asyncpg.Record) -> bytes:
    # orjson does not serialize asyncpg's subclass of UUID.
    return orjson.dumps(dict(row), default=str)


def _record(row: dict[str, Any], now: datetime) -> tuple[Any, ...]:
    return (uuid7(), UUID(row["author_id"]), row["title"], row.get("body", ""), None, now, now)


async def _body(receive: Any) -> bytes:
    message = await receive()
    body: bytes = message["body"]
    while message["more_body"]:
        message = await receive()
        body += message["body"]
    return body


async def _send(send: Any, body: bytes, status: int = 200) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _lifespan(receive: Any, send: Any) -> None:
    global pool
    await receive()
    pool = await asyncpg.create_pool(
        os.environ["DRIVER_URL"], min_size=16, max_size=16, reset=skip_reset
    )
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await pool.close()
    await send({"type": "lifespan.shutdown.complete"})
