"""Request and response models of the library."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from pydantic import Field

from app.kit.db.ids import Id
from app.kit.http.schemas import (
    PatchModel,
    RequestModel,
    ResponseModel,
    ShortStr,
    optional_field,
)
from tests.conformance.features.library.models import Binding


class WriterOut(ResponseModel):
    """A writer."""

    id: Id
    name: str


class SubjectOut(ResponseModel):
    """A subject."""

    name: str


class SequelOut(ResponseModel):
    """A book in a list, with its writer."""

    title: str
    binding: Binding
    price: Decimal | None
    writer: WriterOut | None
    loud: str
    label: str
    stars: int


class ReviewOut(ResponseModel):
    """A review."""

    stars: int
    kind: str


class BookOut(ResponseModel):
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


class ReviewedOut(ResponseModel):
    """A book in a list."""

    name: str = Field(validation_alias="title")
    label: str


class EssayOut(ReviewOut):
    """An essay with its text and book."""

    text: str
    length: int
    written_in: list[Binding]
    book: ReviewedOut


class CopyOut(ResponseModel):
    """A copy."""

    label: str


class ShelfOut(ResponseModel):
    """A shelf with its copies."""

    room: str
    number: int
    copies: list[CopyOut]


class BookIn(RequestModel):
    """A new book."""

    title: ShortStr
    meta: dict[str, Any] = Field(default_factory=dict)
    price: Decimal | None = None
    writer_id: Id | None = None


class BookChanges(PatchModel):
    """A partial update of a book."""

    title: ShortStr = optional_field()
    meta: dict[str, Any] = optional_field()
    price: Decimal | None = None
