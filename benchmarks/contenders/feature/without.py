"""The measured work without one of the patterns, as it is often written."""

from collections.abc import AsyncGenerator, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.example.posts.models import Post
from app.example.posts.repository import (
    ORDERS,
    POST_OUT,
    POSTS,
    PostRepository,
)
from app.example.posts.schemas import PostOut, PostQuery, PostSort
from app.features.measured.schemas import Keys, NewRow, NewRows, Row, RowChanges
from app.kit.db.ids import Id
from app.kit.db.plan import plan
from app.kit.db.session import ReadSessionDep, SessionDep
from app.kit.page import Page
from app.kit.queries.columns import columns_of

router = APIRouter(prefix="/without", tags=["measured"])

ROW = plan()
NEWEST = ORDERS[PostSort.NEWEST].clauses


@router.get("/read-only/{key}", response_model=Row)
async def read_row_in_a_transaction(key: Id, session: SessionDep) -> Post:
    """R1 over the session that writes: BEGIN, the statement, COMMIT."""
    return await PostRepository(session).get(key, *ROW)


def in_a_thread(session: ReadSessionDep) -> PostRepository:
    """No coroutine: FastAPI runs it in a thread."""
    return PostRepository(session)


@router.get("/coroutines/{key}", response_model=Row)
async def read_row_by_way_of_a_thread(
    key: Id, posts: Annotated[PostRepository, Depends(in_a_thread)]
) -> Post:
    """R1 with a dependency that is a plain function."""
    return await posts.get(key, *ROW)


async def passed_on(session: ReadSessionDep) -> AsyncGenerator[AsyncSession]:
    """One more that has something to tidy up."""
    yield session


async def passed_on_again(
    session: Annotated[AsyncSession, Depends(passed_on, scope="function")],
) -> AsyncGenerator[AsyncSession]:
    """And one more."""
    yield session


@router.get("/few-dependencies/{key}", response_model=Row)
async def read_row_by_way_of_others(
    key: Id, session: Annotated[AsyncSession, Depends(passed_on_again, scope="function")]
) -> Post:
    """R1 with two more dependencies that are generators."""
    return await PostRepository(session).get(key, *ROW)


@router.get("/response-model/{key}", response_model=Row)
async def read_row_as_a_response(key: Id, session: ReadSessionDep) -> JSONResponse:
    """R1 with a response that is made by hand."""
    row = Row.model_validate(await PostRepository(session).get(key, *ROW))
    return JSONResponse(jsonable_encoder(row))


@router.get("/objects", response_model=list[PostOut])
async def list_objects(limit: int, session: ReadSessionDep) -> Sequence[Post]:
    """R2 from objects, with a load plan."""
    newest = select(Post).order_by(*NEWEST).limit(limit).options(*POST_OUT)
    return (await session.scalars(newest)).all()


@router.get("/count-of-its-own", response_model=Page[PostOut])
async def read_page_that_counts(
    query: Annotated[PostQuery, Query()], session: ReadSessionDep
) -> dict[str, Any]:
    """R2c with the total beside every row."""
    counted = select(*columns_of(PostOut, Post), func.count().over().label("total"))
    found = await session.execute(counted.order_by(*NEWEST).limit(query.limit))
    rows = found.mappings().all()
    items = [PostOut.model_validate(dict(row)) for row in rows]
    return {"items": items, "total": rows[0]["total"], "limit": query.limit, "offset": 0}


@router.get("/keyset", response_model=list[PostOut])
async def list_by_offset(limit: int, offset: int, session: ReadSessionDep) -> Sequence[PostOut]:
    """R4 by the number of rows to pass over."""
    # By their keys first: the relations of all that is passed over would be read, too.
    keys = select(Post.id).order_by(*NEWEST).limit(limit).offset(offset)
    page = POSTS.select().where(Post.id.in_(keys)).order_by(*NEWEST)
    return await POSTS.list(session, page)


@router.post("/returning", status_code=201, response_model=Row)
async def create_and_refresh(new: NewRow, session: SessionDep) -> Post:
    """R3, read again after it was written."""
    post = await PostRepository(session).add(Post(**new.model_dump()))
    await session.refresh(post)
    return post


@router.post("/copy", status_code=201, response_model=Keys)
async def create_objects(new: NewRows, session: SessionDep) -> Keys:
    """R5 by the unit of work."""
    rows = [Post(**row.model_dump()) for row in new.rows]
    session.add_all(rows)
    await session.flush()
    return Keys(ids=[row.id for row in rows])


@router.patch("/change/{key}", response_model=Row)
async def read_and_update(key: Id, changes: RowChanges, session: SessionDep) -> Post:
    """R6, read before it is written."""
    return await PostRepository(session).update(
        await PostRepository(session).get(key, *ROW), changes.sent()
    )
