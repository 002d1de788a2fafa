"""The measured tasks without one of the patterns."""

from collections.abc import AsyncGenerator, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload, selectinload

from app.example.posts.models import Post
from app.example.posts.repository import POSTS, SORT_ORDERS, PostRepository
from app.example.posts.schemas import PostOut, PostQuery, PostSort
from app.features.measured.schemas import Keys, NewRow, NewRows, Row
from app.kit.db.ids import Id
from app.kit.http.dependencies import ReadSessionDep, SessionDep
from app.kit.queries.compiled.columns import columns_of
from app.kit.queries.compiled.results import RowValidator
from app.kit.queries.pagination import Page
from app.kit.queries.repository import load_options

router = APIRouter(prefix="/without", tags=["measured"])

ROW = load_options()
POST_OUT = load_options(joinedload(Post.author), selectinload(Post.tags))
POST_ROWS = RowValidator(PostOut, Post)
NEWEST = SORT_ORDERS[PostSort.NEWEST].clauses


@router.get("/read-only/{key}", response_model=Row)
async def read_row_in_a_transaction(key: Id, session: SessionDep) -> Post:
    """Task R1 in a transaction: BEGIN, the statement, COMMIT."""
    return await PostRepository(session).get(key, *ROW)


def sync_repository(session: ReadSessionDep) -> PostRepository:
    """A sync dependency, which FastAPI runs in a thread."""
    return PostRepository(session)


@router.get("/async-dependencies/{key}", response_model=Row)
async def read_row_with_sync_dependency(
    key: Id, posts: Annotated[PostRepository, Depends(sync_repository)]
) -> Post:
    """Task R1 with a sync dependency."""
    return await posts.get(key, *ROW)


async def first_generator(session: ReadSessionDep) -> AsyncGenerator[AsyncSession]:
    """An additional generator dependency."""
    yield session


async def second_generator(
    session: Annotated[AsyncSession, Depends(first_generator, scope="function")],
) -> AsyncGenerator[AsyncSession]:
    """A second additional generator dependency."""
    yield session


@router.get("/single-generator/{key}", response_model=Row)
async def read_row_with_generator_dependencies(
    key: Id, session: Annotated[AsyncSession, Depends(second_generator, scope="function")]
) -> Post:
    """Task R1 with two additional generator dependencies."""
    return await PostRepository(session).get(key, *ROW)


@router.get("/response-model/{key}", response_model=Row)
async def read_row_as_a_response(key: Id, session: ReadSessionDep) -> JSONResponse:
    """Task R1 with an explicit `JSONResponse`."""
    row = Row.model_validate(await PostRepository(session).get(key, *ROW))
    return JSONResponse(jsonable_encoder(row))


@router.get("/view", response_model=list[PostOut])
async def list_objects(limit: int, session: ReadSessionDep) -> Sequence[Post]:
    """Task R2 with ORM objects and load options."""
    newest = select(Post).order_by(*NEWEST).limit(limit).options(*POST_OUT)
    return (await session.scalars(newest)).all()


@router.get("/separate-count", response_model=Page[PostOut])
async def read_page_that_counts(
    query: Annotated[PostQuery, Query()], session: ReadSessionDep
) -> dict[str, Any]:
    """Task R2c with `count(*) OVER ()`."""
    counted = select(*columns_of(PostOut, Post), func.count().over().label("total"))
    found = await session.execute(counted.order_by(*NEWEST).limit(query.limit))
    rows = found.mappings().all()
    items = POST_ROWS.all([dict(row) for row in rows])
    return {"items": items, "total": rows[0]["total"], "limit": query.limit, "offset": 0}


@router.get("/keyset", response_model=list[PostOut])
async def list_by_offset(limit: int, offset: int, session: ReadSessionDep) -> Sequence[PostOut]:
    """Task R4 with an offset."""
    # Select primary keys first, or the relationships of all skipped rows would be loaded.
    keys = select(Post.id).order_by(*NEWEST).limit(limit).offset(offset)
    page = POSTS.select().where(Post.id.in_(keys)).order_by(*NEWEST)
    return await POSTS.list(session, page)


@router.post("/returning", status_code=201, response_model=Row)
async def create_and_refresh(new: NewRow, session: SessionDep) -> Post:
    """Task R3 with a refresh after the insert."""
    post = await PostRepository(session).add(Post(**new.model_dump()))
    await session.refresh(post)
    return post


@router.post("/copy", status_code=201, response_model=Keys)
async def create_objects(new: NewRows, session: SessionDep) -> Keys:
    """Task R5 with the unit of work."""
    rows = [Post(**row.model_dump()) for row in new.rows]
    session.add_all(rows)
    await session.flush()
    return Keys(ids=[row.id for row in rows])
