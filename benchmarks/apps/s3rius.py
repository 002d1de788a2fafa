"""Posts in a project that fastapi_template generated, written like its example."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Depends, HTTPException
from peer.db.dependencies import get_db_session
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from benchmarks.apps import schemas
from benchmarks.apps.tables import Post

router = APIRouter()


class PostDAO:
    """Class for accessing the posts."""

    def __init__(self, session: AsyncSession = Depends(get_db_session)) -> None:
        self.session = session

    async def get(self, key: UUID) -> Post:
        """Get one post."""
        post = await self.session.get(Post, key)
        if post is None or post.deleted_at is not None:
            raise HTTPException(404)
        return post

    async def create(self, **values: Any) -> Post:
        """Add a post to the session."""
        post = Post(**values)
        self.session.add(post)
        await self.session.flush()
        return post

    async def create_many(self, rows: list[dict[str, Any]]) -> list[Post]:
        """Add posts to the session."""
        posts = [Post(**row) for row in rows]
        self.session.add_all(posts)
        await self.session.flush()
        return posts

    async def newest(self, limit: int, offset: int) -> list[Post]:
        """Get posts with author and tags, with limit/offset pagination."""
        found = await self.session.execute(
            select(Post)
            .where(Post.deleted_at.is_(None))
            .order_by(Post.created_at.desc(), Post.id.desc())
            .options(selectinload(Post.author), selectinload(Post.tags))
            .limit(limit)
            .offset(offset)
        )
        return list(found.scalars().fetchall())

    async def count(self) -> int:
        """Count the posts."""
        not_deleted = select(func.count()).select_from(Post).where(Post.deleted_at.is_(None))
        return await self.session.scalar(not_deleted) or 0


@router.get("/rows/{key}", response_model=schemas.Row)
async def read_row(key: UUID, dao: PostDAO = Depends()) -> Any:
    """Task R1: read one row."""
    return await dao.get(key)


@router.get("/posts", response_model=list[schemas.Post])
async def list_posts(limit: int = 20, offset: int = 0, dao: PostDAO = Depends()) -> Any:
    """Tasks R2 and R4: list posts, on the first and on a deep page."""
    return await dao.newest(limit, offset)


@router.get("/page", response_model=schemas.Page)
async def read_page(limit: int = 20, offset: int = 0, dao: PostDAO = Depends()) -> Any:
    """Task R2c: list posts with the total."""
    return {"total": await dao.count(), "items": await dao.newest(limit, offset)}


@router.post("/rows", status_code=201, response_model=schemas.Row)
async def create_row(new: schemas.NewRow, dao: PostDAO = Depends()) -> Any:
    """Task R3: create one row."""
    return await dao.create(**new.model_dump())


@router.post("/rows/bulk", status_code=201, response_model=schemas.Keys)
async def create_rows(new: schemas.NewRows, dao: PostDAO = Depends()) -> Any:
    """Task R5: create many rows."""
    created = await dao.create_many([row.model_dump() for row in new.rows])
    return {"ids": [post.id for post in created]}


@router.patch("/rows/{key}", response_model=schemas.Row)
async def update_row(key: UUID, changes: schemas.RowChanges, dao: PostDAO = Depends()) -> Any:
    """Task R6: update one row."""
    post = await dao.get(key)
    for name, value in changes.model_dump(exclude_unset=True).items():
        setattr(post, name, value)
    await dao.session.flush()
    return post
