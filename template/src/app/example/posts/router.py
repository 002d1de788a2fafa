"""Endpoints for posts."""

from typing import Annotated

from fastapi import APIRouter, Query, status

from app.example.posts import service, statistics
from app.example.posts.models import Post
from app.example.posts.repository import ORDERS, POSTS, PostRepository, matching
from app.example.posts.schemas import (
    FeedQuery,
    NewestQuery,
    PostChanges,
    PostCreate,
    PostFilter,
    PostOut,
    PostQuery,
    PostTransfers,
    TransfersOut,
)
from app.example.posts.statistics import AuthorCount, DayCount, DayQuery, PostTotals
from app.kit.db.ids import Id
from app.kit.db.session import DatabaseDep, ReadSessionDep, SessionDep
from app.kit.errors import problems
from app.kit.page import CursorPage, CursorSlice, Page, PageQuery, Slice

router = APIRouter(prefix="/posts", tags=["posts"])


@router.post("", status_code=status.HTTP_201_CREATED, response_model=PostOut)
async def create_post(new: PostCreate, session: SessionDep) -> Post:
    """Create a post."""
    return await service.write_post(new, session)


@router.get("", response_model=Page[PostOut])
async def list_posts(query: Annotated[PostQuery, Query()], db: DatabaseDep) -> Slice[PostOut]:
    """List posts with author and tags by offset, with the total count."""
    return await POSTS.page(db, query, matching(query))


# Static paths go before `/{post_id}`, which would match them.
@router.get("/feed", response_model=CursorPage[PostOut])
async def read_feed(query: Annotated[FeedQuery, Query()], db: DatabaseDep) -> CursorSlice[PostOut]:
    """List posts with author and tags by cursor. Every page takes the same time."""
    return await POSTS.feed(db, query, matching(query), ORDERS[query.sort])


@router.get("/newest", response_model=list[PostOut])
async def list_newest(query: Annotated[NewestQuery, Query()], db: DatabaseDep) -> list[PostOut]:
    """List the newest posts with author and tags."""
    return await POSTS.list(db, matching(PostFilter(q=None)).limit(query.limit))


@router.get("/statistics", response_model=PostTotals)
async def read_totals(session: ReadSessionDep) -> PostTotals:
    """Return totals and averages of all posts."""
    return await statistics.totals(session)


@router.get("/statistics/by-author", response_model=Page[AuthorCount])
async def list_author_counts(
    query: Annotated[PageQuery, Query()], session: ReadSessionDep
) -> Slice[AuthorCount]:
    """List users with their number of posts, highest number first."""
    return await statistics.by_author(session, query)


@router.get("/statistics/by-day", response_model=list[DayCount])
async def list_day_counts(
    query: Annotated[DayQuery, Query()], session: ReadSessionDep
) -> list[DayCount]:
    """Return the number of posts published on each day."""
    return await statistics.by_day(session, query)


@router.post("/transfers", response_model=TransfersOut)
async def transfer_posts(batch: PostTransfers, session: SessionDep) -> TransfersOut:
    """Transfer posts to other authors. The response lists failed transfers as `refused`."""
    return await service.transfer_posts(batch, session)


@router.get("/{post_id}", response_model=PostOut, responses=problems(404))
async def read_post(post_id: Id, db: DatabaseDep) -> PostOut:
    """Return a post with author and tags."""
    return await POSTS.get(db, post_id)


@router.patch("/{post_id}", response_model=PostOut, responses=problems(404))
async def update_post(post_id: Id, changes: PostChanges, session: SessionDep) -> Post:
    """Update the fields that are sent. The other fields keep their values."""
    return await service.revise_post(post_id, changes, session)


@router.delete("/{post_id}", status_code=status.HTTP_204_NO_CONTENT, responses=problems(404))
async def delete_post(post_id: Id, session: SessionDep) -> None:
    """Delete a post."""
    await PostRepository(session).delete(post_id)
