"""Request and response bodies for posts."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, Field

from app.example.tags.schemas import TagName, TagOut
from app.kit.db.ids import Id
from app.kit.errors import FieldProblem
from app.kit.page import CursorQuery, PageQuery
from app.kit.schemas import Changes, Input, Line, LongText, Moment, Output, SearchText, omittable

Title = Annotated[Line, Field(examples=["Notes on the engine"])]
Body = Annotated[LongText, Field(examples=["It weaves algebraical patterns."])]
TagNames = Annotated[list[TagName], Field(max_length=20)]


class PostCreate(Input):
    """A new post."""

    author_id: Id
    title: Title
    body: Body = ""
    published_at: Moment | None = None
    tags: TagNames = Field(default_factory=list)


class PostChanges(Changes):
    """Fields of a post to update. `tags` replaces all tags of the post."""

    title: Title = omittable()
    body: Body = omittable()
    published_at: Moment | None = Field(None, description="null turns the post into a draft")
    tags: TagNames = omittable()


class PostSort(StrEnum):
    """Sort order of posts."""

    NEWEST = "newest"
    OLDEST = "oldest"
    TITLE = "title"
    # Latest first, drafts last.
    PUBLISHED = "published"


class PostFilter(BaseModel):
    """Filters and sort order of posts."""

    q: SearchText | None = Field(None, description="Part of the title or body")
    author_id: Id | None = None
    tag: TagName | None = None
    sort: PostSort = PostSort.NEWEST


class PostQuery(PostFilter, PageQuery):
    """Query parameters of the list of posts."""


class FeedQuery(PostFilter, CursorQuery):
    """Query parameters of the feed."""


class NewestQuery(Input):
    """Number of newest posts to list."""

    limit: int = Field(20, ge=1, le=100)


class PostTransfer(Input):
    """Posts to transfer from one author to another, all or none."""

    from_author_id: Id
    to_author_id: Id
    post_ids: list[Id] = Field(min_length=1, max_length=100)


class PostTransfers(Input):
    """Transfers that succeed or fail independently of each other."""

    transfers: list[PostTransfer] = Field(min_length=1, max_length=20)


class AuthorOut(Output):
    """The author of a post."""

    id: Id
    name: str


class PostOut(Output):
    """A post with its author and tags."""

    id: Id
    title: str
    body: str
    published_at: datetime | None
    author: AuthorOut
    tags: list[TagOut]
    created_at: datetime
    updated_at: datetime


class RefusedTransfer(Output):
    """A transfer that failed."""

    index: int = Field(description="Position in `transfers`, from 0")
    detail: str
    errors: list[FieldProblem]


class TransfersOut(Output):
    """Result of the transfers."""

    moved: int = Field(description="Number of transferred posts")
    refused: list[RefusedTransfer]
