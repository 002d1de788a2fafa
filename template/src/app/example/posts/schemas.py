"""What the API takes and gives for posts."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, Field

from app.example.tags.schemas import TagName, TagOut
from app.kit.db.ids import Id
from app.kit.errors import FieldProblem
from app.kit.page import CursorQuery, PageQuery
from app.kit.schemas import Changes, Input, Line, LongText, Output, SearchText, omittable
from app.kit.times import Moment

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
    """What may change about a post; `tags` replaces all it had."""

    title: Title = omittable()
    body: Body = omittable()
    published_at: Moment | None = Field(None, description="null makes it a draft again")
    tags: TagNames = omittable()


class PostSort(StrEnum):
    """The orders in which posts can be listed."""

    NEWEST = "newest"
    OLDEST = "oldest"
    TITLE = "title"
    # The latest first, drafts last.
    PUBLISHED = "published"


class PostFilter(BaseModel):
    """Which posts to list, and in which order."""

    q: SearchText | None = Field(None, description="Part of the title or body")
    author_id: Id | None = None
    tag: TagName | None = None
    sort: PostSort = PostSort.NEWEST


class PostQuery(PostFilter, PageQuery):
    """Posts by offset."""


class FeedQuery(PostFilter, CursorQuery):
    """Posts by cursor."""


class NewestQuery(Input):
    """How many of the newest posts to list."""

    limit: int = Field(20, ge=1, le=100)


class PostTransfer(Input):
    """Posts that change their author: all of them or none."""

    from_author_id: Id
    to_author_id: Id
    post_ids: list[Id] = Field(min_length=1, max_length=100)


class PostTransfers(Input):
    """Transfers, each of which succeeds or fails by itself."""

    transfers: list[PostTransfer] = Field(min_length=1, max_length=20)


class AuthorOut(Output):
    """The user who wrote a post."""

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
    """A transfer that was not made."""

    index: int = Field(description="Its place among the transfers of the request, from 0")
    detail: str
    errors: list[FieldProblem]


class TransfersOut(Output):
    """What became of the transfers."""

    moved: int = Field(description="Posts that have a new author")
    refused: list[RefusedTransfer]
