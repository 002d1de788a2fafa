"""Measured endpoints that the example does not have."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy import select

from app.example.posts.models import Post
from app.example.posts.repository import POSTS, SORT_ORDERS, PostRepository
from app.example.posts.schemas import FeedQuery, NewestQuery, PostOut, PostSort
from app.features.measured.schemas import Keys, NewRow, NewRows, Row, RowChanges
from app.kit.db.ids import Id
from app.kit.http.dependencies import DatabaseDep, ReadSessionDep, SessionDep
from app.kit.http.streaming import JSON_LINES, JsonLines
from app.kit.queries.keyset import CursorPosition, encode_cursor
from app.kit.queries.repository import load_options
from app.kit.queries.view import View
from app.kit.writes.copy import copy_returning

router = APIRouter(prefix="/measured", tags=["measured"])

ROW = load_options()
ROWS = View(Row, Post)
NEWEST = SORT_ORDERS[PostSort.NEWEST]


@router.get("/nothing")
async def do_nothing() -> dict[str, int]:
    """Task R0: respond without work."""
    return {"nothing": 0}


@router.get("/rows/{key}", response_model=Row)
async def read_row(key: Id, session: ReadSessionDep) -> Post:
    """Task R1 with an ORM object and a repository."""
    return await PostRepository(session).get(key, *ROW)


@router.get("/view/{key}", response_model=Row)
async def read_view(key: Id, db: DatabaseDep) -> Row:
    """Task R1: read one row."""
    return await ROWS.get(db, key)


@router.get("/posts", response_model=list[PostOut])
async def list_rows(query: Annotated[NewestQuery, Query()], db: DatabaseDep) -> Sequence[PostOut]:
    """Task R2: list posts with author and tags."""
    newest = POSTS.select().order_by(*NEWEST.clauses).limit(query.limit)
    return await POSTS.list(db, newest)


@router.get("/cursor", response_model=str)
async def read_cursor(offset: int, session: ReadSessionDep) -> str:
    """Return the cursor of the page at an offset."""
    values = [key.expression for key in NEWEST.keys]
    previous_row = select(*values).order_by(*NEWEST.clauses).offset(offset - 1).limit(1)
    row = (await session.execute(previous_row)).one()
    return encode_cursor(CursorPosition(tuple(row)), FeedQuery().scope())


@router.get("/export", response_class=JsonLines, responses=JSON_LINES)
async def export_rows(database: DatabaseDep) -> JsonLines:
    """Stream every post as JSON lines, newest first."""
    return JsonLines(database, select(Post).order_by(*NEWEST.clauses).options(*ROW), Row)


@router.get("/count", response_model=int)
async def count_rows(session: ReadSessionDep) -> int:
    """Count all posts."""
    return await PostRepository(session).count()


@router.get("/count/capped", response_model=int)
async def count_some_rows(cap: int, session: ReadSessionDep) -> int:
    """Count the posts, up to a cap."""
    return await PostRepository(session).count(at_most=cap)


@router.post("/rows", status_code=201, response_model=Row)
async def create_row(new: NewRow, session: SessionDep) -> Post:
    """Task R3 with an ORM object."""
    return await PostRepository(session).add(Post(**new.model_dump()))


@router.post("/view", status_code=201, response_model=Row)
async def create_view(new: NewRow, db: DatabaseDep) -> Row:
    """Task R3: create one row."""
    return await ROWS.insert(db, new)


@router.post("/rows/bulk", status_code=201, response_model=Keys)
async def create_rows(new: NewRows, session: SessionDep) -> Keys:
    """Task R5: create many rows."""
    return Keys(ids=await copy_returning(session, Post, new.rows))


@router.patch("/rows/{key}", response_model=Row)
async def update_row(key: Id, changes: RowChanges, session: SessionDep) -> Post:
    """Task R6 with an ORM object."""
    posts = PostRepository(session)
    return await posts.update(await posts.get(key, *ROW), changes.sent())


@router.patch("/view/{key}", response_model=Row)
async def change_view(key: Id, changes: RowChanges, db: DatabaseDep) -> Row:
    """Task R6: update one row."""
    return await ROWS.update(db, key, changes)
