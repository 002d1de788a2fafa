"""What the API takes and gives for posts."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from app.example.tags.schemas import TagName, TagOut
from app.kit.db.ids import Id
from app.kit.page import PageQuery
from app.kit.schemas import Changes, Input, Line, LongText, Output, SearchText, omittable

TagNames = Annotated[list[TagName], Field(max_length=20)]


class PostCreate(Input):
    """A new post."""

    author_id: Id
    title: Line
    body: LongText = ""
    tags: TagNames = Field(default_factory=list)


class PostChanges(Changes):
    """What may change about a post; `tags` replaces all it had."""

    title: Line = omittable()
    body: LongText = omittable()
    tags: TagNames = omittable()


class PostQuery(PageQuery):
    """Which posts to list."""

    q: SearchText | None = Field(None, description="Part of the title or body")
    author_id: Id | None = None
    tag: TagName | None = None


class AuthorOut(Output):
    """The user who wrote a post."""

    id: Id
    name: str


class PostOut(Output):
    """A post with its author and tags."""

    id: Id
    title: str
    body: str
    author: AuthorOut
    tags: list[TagOut]
    created_at: datetime
    updated_at: datetime
