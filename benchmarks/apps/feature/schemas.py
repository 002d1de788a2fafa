"""Request and response models of the measured endpoints."""

from datetime import datetime

from pydantic import Field

from app.kit.db.ids import Id
from app.kit.schemas import Changes, Input, Line, LongText, Moment, Output, omittable


class Row(Output):
    """A post without author and tags."""

    id: Id
    author_id: Id
    title: str
    body: str
    published_at: datetime | None
    created_at: datetime
    updated_at: datetime


class NewRow(Input):
    """The request body of a new post."""

    author_id: Id
    title: Line
    body: LongText = ""
    published_at: Moment | None = None


class NewRows(Input):
    """The request body of up to 1,000 new posts."""

    rows: list[NewRow] = Field(min_length=1, max_length=1000)


class Keys(Output):
    """The ids of the created posts."""

    ids: list[Id]


class RowChanges(Changes):
    """The request body of a partial update."""

    title: Line = omittable()
    body: LongText = omittable()
