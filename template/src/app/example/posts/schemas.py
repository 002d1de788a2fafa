"""Request and response bodies for posts."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, Field

from app.example.tags.schemas import TagName, TagOut
from app.kit.db.ids import Id
from app.kit.errors.problems import FieldProblem
from app.kit.http.schemas import (
    LongStr,
    PatchModel,
    RequestModel,
    ResponseModel,
    SearchStr,
    ShortStr,
    UtcDatetime,
    optional_field,
)
from app.kit.queries.pagination import CursorQuery, PageQuery

Title = Annotated[ShortStr, Field(examples=["Notes on the engine"])]
Body = Annotated[LongStr, Field(examples=["It weaves algebraical patterns."])]
TagNames = Annotated[list[TagName], Field(max_length=20)]


class PostCreate(RequestModel):
    """A new post."""

    author_id: Id
    title: Title
    body: Body = ""
    published_at: UtcDatetime | None = None
    tags: TagNames = Field(default_factory=list)


class PostChanges(PatchModel):
    """Fields of a post to update. `tags` replaces all tags of the post."""

    title: Title = optional_field()
    body: Body = optional_field()
    published_at: UtcDatetime | None = Field(None, description="null turns the post into a draft")
    tags: TagNames = optional_field()


class PostSort(StrEnum):
    """Sort order of posts."""

    NEWEST = "newest"
    OLDEST = "oldest"
    TITLE = "title"
    # Latest first, drafts last.
    PUBLISHED = "published"


class PostFilter(BaseModel):
    """Filters and sort order of posts."""

    q: SearchStr | None = Field(default=None, description="Part of the title or body")
    author_id: Id | None = None
    tag: TagName | None = None
    sort: PostSort = PostSort.NEWEST


class PostQuery(PostFilter, PageQuery):
    """Query parameters of the list of posts."""


class FeedQuery(PostFilter, CursorQuery):
    """Query parameters of the feed."""


class NewestQuery(RequestModel):
    """Number of newest posts to list."""

    limit: int = Field(20, ge=1, le=100)


class PostTransfer(RequestModel):
    """Posts to transfer from one author to another, all or none."""

    from_author_id: Id
    to_author_id: Id
    post_ids: list[Id] = Field(min_length=1, max_length=100)


class PostTransfers(RequestModel):
    """Transfers that succeed or fail independently of each other."""

    transfers: list[PostTransfer] = Field(min_length=1, max_length=20)


class AuthorOut(ResponseModel):
    """The author of a post."""

    id: Id
    name: str


class PostOut(ResponseModel):
    """A post with its author and tags."""

    id: Id
    title: str
    body: str
    published_at: datetime | None
    author: AuthorOut
    tags: list[TagOut]
    created_at: datetime
    updated_at: datetime


class RejectedTransfer(ResponseModel):
    """A transfer that failed."""

    index: int = Field(description="Position in `transfers`, from 0")
    detail: str
    errors: list[FieldProblem]


class TransfersOut(ResponseModel):
    """Result of the transfers."""

    moved: int = Field(description="Number of transferred posts")
    rejected: list[RejectedTransfer]
