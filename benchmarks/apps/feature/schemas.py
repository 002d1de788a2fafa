"""Request and response models of the measured endpoints."""

from datetime import datetime

from pydantic import Field

from app.kit.db.ids import Id
from app.kit.http.schemas import (
    LongStr,
    PatchModel,
    RequestModel,
    ResponseModel,
    ShortStr,
    UtcDatetime,
    optional_field,
)


class Row(ResponseModel):
    """A post without author and tags."""

    id: Id
    author_id: Id
    title: str
    body: str
    published_at: datetime | None
    created_at: datetime
    updated_at: datetime


class NewRow(RequestModel):
    """The request body of a new post."""

    author_id: Id
    title: ShortStr
    body: LongStr = ""
    published_at: UtcDatetime | None = None


class NewRows(RequestModel):
    """The request body of up to 1,000 new posts."""

    rows: list[NewRow] = Field(min_length=1, max_length=1000)


class Keys(ResponseModel):
    """The ids of the created posts."""

    ids: list[Id]


class RowChanges(PatchModel):
    """The request body of a partial update."""

    title: ShortStr = optional_field()
    body: LongStr = optional_field()
