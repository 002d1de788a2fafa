"""Request and response models of the targets, except the service, which has its own."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class ResponseModel(BaseModel):
    """Base of response models; validates objects and dicts."""

    model_config = ConfigDict(from_attributes=True)


class Row(ResponseModel):
    """A post without author and tags."""

    id: UUID
    author_id: UUID
    title: str
    body: str
    published_at: datetime | None
    created_at: datetime
    updated_at: datetime


class NamedRow(ResponseModel):
    """The author of a post, or one of its tags."""

    id: UUID
    name: str


class Post(ResponseModel):
    """A post with its author and tags."""

    id: UUID
    title: str
    body: str
    published_at: datetime | None
    author: NamedRow
    tags: list[NamedRow]
    created_at: datetime
    updated_at: datetime


class Page(ResponseModel):
    """A page of posts, with the total."""

    items: list[Post]
    total: int


class NewRow(BaseModel):
    """The request body of a new post."""

    author_id: UUID
    title: str = Field(min_length=1, max_length=200)
    body: str = Field("", max_length=100_000)
    published_at: datetime | None = None


class NewRows(BaseModel):
    """The request body of up to 1,000 new posts."""

    rows: list[NewRow] = Field(min_length=1, max_length=1000)


class Keys(BaseModel):
    """The ids of the created posts."""

    ids: list[UUID]


class RowChanges(BaseModel):
    """The request body of a partial update."""

    title: str | None = Field(None, min_length=1, max_length=200)
    body: str | None = Field(None, max_length=100_000)
