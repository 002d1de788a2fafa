"""Request and response models of the library."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from pydantic import Field

from app.kit.db.ids import Id
from app.kit.schemas import Changes, Input, Line, Output, omittable
from tests.conformance.features.library.models import Binding


class WriterOut(Output):
    """A writer."""

    id: Id
    name: str


class SubjectOut(Output):
    """A subject."""

    name: str


class SequelOut(Output):
    """A book in a list, with its writer."""

    title: str
    binding: Binding
    price: Decimal | None
    writer: WriterOut | None
    loud: str
    label: str
    stars: int


class ReviewOut(Output):
    """A review."""

    stars: int
    kind: str


class BookOut(Output):
    """A book with all its relationships."""

    id: Id
    kind: str
    title: str
    meta: dict[str, Any]
    binding: Binding
    price: Decimal | None
    twice: Decimal | None
    words: list[str]
    printed_on: date | None
    borrowed_at: datetime | None
    version: int
    writer: WriterOut | None
    sequel_of: SequelOut | None
    sequels: list[SequelOut]
    reviews: list[ReviewOut]
    loud: str
    label: str
    stars: int
    subjects: list[SubjectOut]
    created_at: datetime
    updated_at: datetime


class ReviewedOut(Output):
    """A book in a list."""

    name: str = Field(validation_alias="title")
    label: str


class EssayOut(ReviewOut):
    """An essay with its text and book."""

    text: str
    length: int
    written_in: list[Binding]
    book: ReviewedOut


class CopyOut(Output):
    """A copy."""

    label: str


class ShelfOut(Output):
    """A shelf with its copies."""

    room: str
    number: int
    copies: list[CopyOut]


class BookIn(Input):
    """A new book."""

    title: Line
    meta: dict[str, Any] = Field(default_factory=dict)
    price: Decimal | None = None
    writer_id: Id | None = None


class BookChanges(Changes):
    """A partial update of a book."""

    title: Line = omittable()
    meta: dict[str, Any] = omittable()
    price: Decimal | None = None
