"""Advanced Alchemy with its FastAPI extension, a service and a repository."""

import os
from typing import Annotated, Any
from uuid import UUID

from advanced_alchemy.extensions.fastapi import (
    AdvancedAlchemy,
    AsyncSessionConfig,
    SQLAlchemyAsyncConfig,
    filters,
    repository,
    service,
)
from fastapi import Depends, FastAPI
from sqlalchemy.orm import selectinload

from benchmarks.apps import schemas
from benchmarks.apps.tables import Post

app = FastAPI()
alchemy = AdvancedAlchemy(
    config=SQLAlchemyAsyncConfig(
        connection_string=os.environ["DATABASE_URL"],
        session_config=AsyncSessionConfig(expire_on_commit=False),
        commit_mode="autocommit",
    ),
    app=app,
)


class PostService(service.SQLAlchemyAsyncRepositoryService[Post]):
    """Service of posts."""

    class Repo(repository.SQLAlchemyAsyncRepository[Post]):
        """Repository of posts."""

        model_type = Post

    repository_type = Repo


Posts = Annotated[PostService, Depends(alchemy.provide_service(PostService))]
PostsWithAll = Annotated[
    PostService,
    Depends(
        alchemy.provide_service(
            PostService, load=[selectinload(Post.author), selectinload(Post.tags)]
        )
    ),
]

NEWEST = (
    filters.OrderBy("created_at", "desc"),
    filters.OrderBy("id", "desc"),
    Post.deleted_at.is_(None),
)


@app.get("/rows/{key}", response_model=schemas.Row)
async def read_row(key: UUID, posts: Posts) -> Any:
    """Task R1: read one row."""
    return posts.to_schema(await posts.get(key), schema_type=schemas.Row)


@app.get("/posts", response_model=list[schemas.Post])
async def list_posts(posts: PostsWithAll, limit: int = 20, offset: int = 0) -> Any:
    """Tasks R2 and R4: list posts, on the first and on a deep page."""
    return await posts.list(filters.LimitOffset(limit, offset), *NEWEST)


@app.get("/page", response_model=service.OffsetPagination[schemas.Post])
async def read_page(posts: PostsWithAll, limit: int = 20, offset: int = 0) -> Any:
    """Task R2c: list posts with the total."""
    page = filters.LimitOffset(limit, offset)
    found, total = await posts.list_and_count(page, *NEWEST)
    return posts.to_schema(found, total, filters=[page], schema_type=schemas.Post)


@app.post("/rows", status_code=201, response_model=schemas.Row)
async def create_row(new: schemas.NewRow, posts: Posts) -> Any:
    """Task R3: create one row."""
    return posts.to_schema(await posts.create(new.model_dump()), schema_type=schemas.Row)


@app.post("/rows/bulk", status_code=201, response_model=schemas.Keys)
async def create_rows(new: schemas.NewRows, posts: Posts) -> Any:
    """Task R5: create many rows."""
    created = await posts.create_many([row.model_dump() for row in new.rows])
    return {"ids": [post.id for post in created]}


@app.patch("/rows/{key}", response_model=schemas.Row)
async def update_row(key: UUID, changes: schemas.RowChanges, posts: Posts) -> Any:
    """Task R6: update one row."""
    changed = await posts.update(changes.model_dump(exclude_unset=True), item_id=key)
    return posts.to_schema(changed, schema_type=schemas.Row)
