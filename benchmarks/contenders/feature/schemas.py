"""What the measured endpoints take and give."""

from datetime import datetime

from pydantic import Field

from app.kit.db.ids import Id
from app.kit.schemas import Changes, Input, Line, LongText, Output, omittable
from app.kit.times import Moment


class Row(Output):
    """A post without what belongs to it."""

    id: Id
    author_id: Id
    title: str
    body: str
    published_at: datetime | None
    created_at: datetime
    updated_at: datetime


class NewRow(Input):
    """A new post."""

    author_id: Id
    title: Line
    body: LongText = ""
    published_at: Moment | None = None


class NewRows(Input):
    """Very many new posts."""

    rows: list[NewRow] = Field(min_length=1, max_length=1000)


class Keys(Output):
    """The keys of what was created."""

    ids: list[Id]


class RowChanges(Changes):
    """What may change about a post."""

    title: Line = omittable()
    body: LongText = omittable()
