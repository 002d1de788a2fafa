"""The measured endpoints that the example has no use for, as a team would write them."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import Query
from sqlalchemy import select
from uuid_utils.compat import uuid7

from app.example.posts.models import Post
from app.example.posts.repository import ORDERS, POSTS_OUT, Posts, PostsToRead
from app.example.posts.schemas import FeedQuery, NewestQuery, PostOut, PostSort
from app.features.measured.schemas import Keys, NewRow, NewRows, Row, RowChanges
from app.kit.cursor import Place, encode
from app.kit.db.copy import copy_rows
from app.kit.db.hot import Hot, HotGet
from app.kit.db.hot_writes import HotInsert, HotWrite
from app.kit.db.ids import Id
from app.kit.db.plan import plan
from app.kit.db.session import ReadDatabaseDep
from app.kit.routing import FeatureRouter
from app.kit.stream import JSON_LINES, JsonLines

router = FeatureRouter(prefix="/measured", tags=["measured"])

ROW = plan()
HOT_ROW = HotGet(Post, Row)
HOT_NEW_ROW = HotInsert(Post, NewRow, Row)
NEWEST = ORDERS[PostSort.NEWEST]


@router.get("/rows/{key}", response_model=Row)
async def read_row(key: Id, posts: PostsToRead) -> Post:
    """R1."""
    return await posts.get(key, *ROW)


@router.get("/hot/{key}", response_model=Row)
async def read_hot_row(key: Id, hot: Hot) -> Row:
    """R1 by the short way."""
    return await HOT_ROW.get(hot, key)


@router.get("/posts", response_model=list[PostOut])
async def list_rows(
    query: Annotated[NewestQuery, Query()], posts: PostsToRead
) -> Sequence[PostOut]:
    """R2 in the form of the response, as the example lists posts."""
    newest = POSTS_OUT.select().order_by(*NEWEST.clauses).limit(query.limit)
    return (await posts.session.scalars(newest)).all()


@router.get("/cursor", response_model=str)
async def read_cursor(offset: int, posts: PostsToRead) -> str:
    """The cursor of a page that deep, which a client would have walked to."""
    values = [key.expression for key in NEWEST.keys]
    place = select(*values).order_by(*NEWEST.clauses).offset(offset - 1).limit(1)
    row = (await posts.session.execute(place)).one()
    return encode(Place(tuple(row)), FeedQuery().scope(), NEWEST.types)


@router.get("/export", response_class=JsonLines, responses=JSON_LINES)
async def export_rows(database: ReadDatabaseDep) -> JsonLines:
    """Every post, the newest first, each a line of JSON."""
    return JsonLines(database, select(Post).order_by(*NEWEST.clauses).options(*ROW), Row)


@router.get("/count", response_model=int)
async def count_rows(posts: PostsToRead) -> int:
    """How many posts there are."""
    return await posts.count()


@router.get("/count/capped", response_model=int)
async def count_some_rows(cap: int, posts: PostsToRead) -> int:
    """How many posts there are, as far as a page would show it."""
    return await posts.count(at_most=cap)


@router.post("/rows", status_code=201, response_model=Row)
async def create_row(new: NewRow, posts: Posts) -> Post:
    """R3."""
    return await posts.add(Post(**new.model_dump()))


@router.post("/hot", status_code=201, response_model=Row)
async def create_hot_row(new: NewRow, hot: HotWrite) -> Row:
    """R3 by the short way."""
    return await HOT_NEW_ROW.create(hot, new)


@router.post("/rows/bulk", status_code=201, response_model=Keys)
async def create_rows(new: NewRows, posts: Posts) -> Keys:
    """R5."""
    rows = [{"id": uuid7(), **row.model_dump()} for row in new.rows]
    await copy_rows(posts.session, Post, rows)
    return Keys(ids=[row["id"] for row in rows])


@router.patch("/rows/{key}", response_model=Row)
async def change_row(key: Id, changes: RowChanges, posts: Posts) -> Post:
    """R6."""
    return await posts.change(key, changes.sent(), *ROW)
