"""The typical FastAPI and SQLAlchemy app: commit in the dependency, pre-ping, refresh."""

import os
from collections.abc import AsyncGenerator
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, FastAPI, HTTPException
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import selectinload

from benchmarks.apps import schemas
from benchmarks.apps.tables import Post

engine = create_async_engine(
    os.environ["DATABASE_URL"], pool_pre_ping=True, pool_size=5, max_overflow=10
)
sessions = async_sessionmaker(engine, expire_on_commit=False)
app = FastAPI()


async def get_session() -> AsyncGenerator[AsyncSession]:
    """Yield the session of a request, and commit at the end."""
    async with sessions() as session:
        try:
            yield session
            await session.commit()
        except Exception:
            await session.rollback()
            raise


Session = Annotated[AsyncSession, Depends(get_session)]
NEWEST = (
    select(Post)
    .where(Post.deleted_at.is_(None))
    .order_by(Post.created_at.desc(), Post.id.desc())
    .options(selectinload(Post.author), selectinload(Post.tags))
)


@app.get("/rows/{key}", response_model=schemas.Row)
async def read_row(key: UUID, session: Session) -> Any:
    """Task R1: read one row."""
    return await _get(session, key)


@app.get("/posts/{key}", response_model=schemas.Post)
async def read_post(key: UUID, session: Session) -> Any:
    """Task RD: read one post with author and tags."""
    post = await session.scalar(NEWEST.where(Post.id == key))
    if post is None:
        raise HTTPException(404)
    return post


@app.get("/posts", response_model=list[schemas.Post])
async def list_posts(session: Session, limit: int = 20, offset: int = 0) -> Any:
    """Tasks R2 and R4: list posts, on the first and on a deep page."""
    return (await session.scalars(NEWEST.limit(limit).offset(offset))).all()


@app.get("/page", response_model=schemas.Page)
async def read_page(session: Session, limit: int = 20, offset: int = 0) -> Any:
    """Task R2c: list posts with the total."""
    not_deleted = select(func.count()).select_from(Post).where(Post.deleted_at.is_(None))
    total = await session.scalar(not_deleted)
    posts = (await session.scalars(NEWEST.limit(limit).offset(offset))).all()
    return {"items": posts, "total": total}


@app.post("/rows", status_code=201, response_model=schemas.Row)
async def create_row(new: schemas.NewRow, session: Session) -> Any:
    """Task R3: create one row."""
    post = Post(**new.model_dump())
    session.add(post)
    await session.flush()
    await session.refresh(post)
    return post


@app.post("/rows/bulk", status_code=201, response_model=schemas.Keys)
async def create_rows(new: schemas.NewRows, session: Session) -> Any:
    """Task R5: create many rows."""
    posts = [Post(**row.model_dump()) for row in new.rows]
    session.add_all(posts)
    await session.flush()
    return {"ids": [post.id for post in posts]}


@app.patch("/rows/{key}", response_model=schemas.Row)
async def update_row(key: UUID, changes: schemas.RowChanges, session: Session) -> Any:
    """Task R6: update one row."""
    post = await _get(session, key)
    for name, value in changes.model_dump(exclude_unset=True).items():
        setattr(post, name, value)
    await session.flush()
    await session.refresh(post)
    return post


async def _get(session: AsyncSession, key: UUID) -> Post:
    post = await session.get(Post, key)
    if post is None or post.deleted_at is not None:
        raise HTTPException(404)
    return post
