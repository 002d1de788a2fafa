"""FastCRUD: its generated endpoints, and its class for the other tasks."""

import os
from collections import defaultdict
from collections.abc import AsyncGenerator
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, FastAPI
from fastcrud import FastCRUD, crud_router
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from benchmarks.apps import schemas
from benchmarks.apps.tables import Post, Tag, post_tags

sessions = async_sessionmaker(
    create_async_engine(os.environ["DATABASE_URL"]), expire_on_commit=False
)


async def get_session() -> AsyncGenerator[AsyncSession]:
    """Yield the session of a request; FastCRUD commits."""
    async with sessions() as session:
        yield session


Session = Annotated[AsyncSession, Depends(get_session)]
posts = FastCRUD(Post)
app = FastAPI()


@app.get("/posts", response_model=list[schemas.Post])
async def list_posts(session: Session, limit: int = 20, offset: int = 0) -> Any:
    """Tasks R2 and R4: list posts, on the first and on a deep page."""
    return (await _page(session, limit, offset, total=False))["data"]


@app.get("/page", response_model=schemas.Page)
async def read_page(session: Session, limit: int = 20, offset: int = 0) -> Any:
    """Task R2c: list posts with the total."""
    found = await _page(session, limit, offset, total=True)
    return {"items": found["data"], "total": found["total_count"]}


async def _page(session: AsyncSession, limit: int, offset: int, *, total: bool) -> Any:
    found = await posts.get_multi_joined(
        session,
        auto_detect_relationships=["author"],
        nest_joins=True,
        limit=limit,
        offset=offset,
        sort_columns=["created_at", "id"],
        sort_orders=["desc", "desc"],
        return_total_count=total,
        deleted_at=None,
    )
    # Tags need a second query: with a join, the limit would count rows of the association table.
    tags = defaultdict(list)
    keys = [row["id"] for row in found["data"]]
    tags_of_posts = select(post_tags.c.post_id, Tag).join(Tag).where(post_tags.c.post_id.in_(keys))
    for key, tag in await session.execute(tags_of_posts.order_by(Tag.name)):
        tags[key].append(tag)
    for row in found["data"]:
        row["tags"] = tags[row["id"]]
    return found


@app.post("/rows/bulk", status_code=201, response_model=schemas.Keys)
async def create_rows(new: schemas.NewRows, session: Session) -> Any:
    """Task R5: create many rows."""
    created = await posts.upsert_multi(session, new.rows, commit=True, return_columns=["id"])
    return {"ids": [row["id"] for row in created["data"]]}


@app.patch("/rows/{key}", response_model=schemas.Row)
async def update_row(key: UUID, changes: schemas.RowChanges, session: Session) -> Any:
    """Task R6: update one row. The generated endpoint does not return it."""
    return await posts.update(
        session, changes, schema_to_select=schemas.Row, return_as_model=True, id=key
    )


# Tasks R1 and R3: read and create one row.
app.include_router(
    crud_router(
        session=get_session,
        model=Post,
        create_schema=schemas.NewRow,
        update_schema=schemas.RowChanges,
        select_schema=schemas.Row,
        path="/rows",
    )
)
