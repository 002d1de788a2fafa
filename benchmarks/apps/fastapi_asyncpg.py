"""FastAPI and asyncpg: validated requests and responses, without an ORM."""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from fastapi import Depends, FastAPI, HTTPException, Request
from pydantic import TypeAdapter
from uuid_utils.compat import uuid7

from benchmarks.apps.schemas import Keys, NewRow, NewRows, Page, Post, Row, RowChanges
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

_POSTS = TypeAdapter(list[Post])


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    """Open the connection pool."""
    async with asyncpg.create_pool(
        os.environ["DRIVER_URL"], min_size=16, max_size=16, reset=skip_reset
    ) as pool:
        app.state.pool = pool
        yield


async def get_pool(request: Request) -> Any:
    """Return the connection pool."""
    return request.app.state.pool


Pool = Annotated[Any, Depends(get_pool)]
app = FastAPI(lifespan=lifespan)


@app.get("/measured/nothing")
async def do_nothing() -> dict[str, int]:
    """Task R0: respond without work."""
    return {"nothing": 0}


@app.get("/posts/{key}", response_model=Post)
async def read_post(key: UUID, pool: Pool) -> Any:
    """Task RD: read one post with author and tags."""
    return Post.model_validate_json(_or_404(await pool.fetchval(DETAIL, key)))


@app.get("/rows/{key}", response_model=Row)
async def read_row(key: UUID, pool: Pool) -> Any:
    """Task R1: read one row."""
    return dict(_or_404(await pool.fetchrow(READ, key)))


@app.get("/posts", response_model=list[Post])
async def list_posts(pool: Pool, limit: int = 20) -> Any:
    """Task R2: list posts with author and tags."""
    return _POSTS.validate_json(await pool.fetchval(LIST, limit))


@app.get("/page", response_model=Page)
async def read_page(pool: Pool, limit: int = 20) -> Any:
    """Task R2c: list posts with the total."""
    async with pool.acquire() as connection:
        total = await connection.fetchval(COUNT)
        posts = await connection.fetchval(LIST, limit)
    return Page(items=_POSTS.validate_json(posts), total=total)


@app.get("/after", response_model=list[Post])
async def list_after(pool: Pool, created_at: datetime, id: UUID, limit: int = 20) -> Any:  # noqa: A002 - the name of the parameter
    """Task R4: list posts after a cursor."""
    return _POSTS.validate_json(await pool.fetchval(NEXT_PAGE, limit, created_at, id))


@app.post("/rows", status_code=201, response_model=Row)
async def create_row(new: NewRow, pool: Pool) -> Any:
    """Task R3: create one row."""
    return dict(await pool.fetchrow(CREATE, *_record(new, datetime.now(UTC))[:-1]))


@app.post("/rows/bulk", status_code=201, response_model=Keys)
async def create_rows(new: NewRows, pool: Pool) -> Any:
    """Task R5: create many rows."""
    now = datetime.now(UTC)
    records = [_record(row, now) for row in new.rows]
    async with pool.acquire() as connection:
        await connection.copy_records_to_table("posts", columns=COLUMNS, records=records)
    return Keys(ids=[record[0] for record in records])


@app.patch("/rows/{key}", response_model=Row)
async def update_row(key: UUID, changes: RowChanges, pool: Pool) -> Any:
    """Task R6: update one row."""
    now = datetime.now(UTC)
    return dict(_or_404(await pool.fetchrow(UPDATE, key, changes.title, changes.body, now)))


def _record(new: NewRow, now: datetime) -> tuple[Any, ...]:
    return (uuid7(), new.author_id, new.title, new.body, new.published_at, now, now)


def _or_404(row: Any) -> Any:
    if row is None:
        raise HTTPException(404)
    return row
