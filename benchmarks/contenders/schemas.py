"""What every contender takes and answers; the service has schemas of its own with these fields."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class Output(BaseModel):
    """Read from objects as well as from rows."""

    model_config = ConfigDict(from_attributes=True)


class Row(Output):
    """A post without what belongs to it."""

    id: UUID
    author_id: UUID
    title: str
    body: str
    published_at: datetime | None
    created_at: datetime
    updated_at: datetime


class Named(Output):
    """The author of a post, or one of its tags."""

    id: UUID
    name: str


class Post(Output):
    """A post with its author and tags."""

    id: UUID
    title: str
    body: str
    published_at: datetime | None
    author: Named
    tags: list[Named]
    created_at: datetime
    updated_at: datetime


class Page(Output):
    """Posts, and how many there are."""

    items: list[Post]
    total: int


class NewRow(BaseModel):
    """A new post."""

    author_id: UUID
    title: str = Field(min_length=1, max_length=200)
    body: str = Field("", max_length=100_000)
    published_at: datetime | None = None


class NewRows(BaseModel):
    """Very many new posts."""

    rows: list[NewRow] = Field(min_length=1, max_length=1000)


class Keys(BaseModel):
    """The keys of what was created."""

    ids: list[UUID]


class RowChanges(BaseModel):
    """What may change about a post."""

    title: str | None = Field(None, min_length=1, max_length=200)
    body: str | None = Field(None, max_length=100_000)
