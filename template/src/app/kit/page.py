"""Pagination by offset or by cursor."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

T = TypeVar("T")


class PageQuery(BaseModel):
    """Query parameters of an offset page. Add the filters of a list in a subclass."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(20, ge=1, le=100, description="Rows on a page")
    offset: int = Field(0, ge=0, le=100_000, description="Rows to skip")


@dataclass(frozen=True, slots=True)
class Slice(Generic[T]):
    """Rows of one page, before serialization, with the total count."""

    items: Sequence[T]
    total: int
    limit: int
    offset: int


class Page(BaseModel, Generic[T]):
    """A page of a list, with the total count."""

    model_config = ConfigDict(from_attributes=True)

    items: list[T]
    total: int = Field(description="Rows on all pages")
    limit: int
    offset: int


class CursorQuery(BaseModel):
    """Query parameters of a cursor page. Add the filters and sort order in a subclass."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(20, ge=1, le=100, description="Rows on a page")
    cursor: str | None = Field(
        None, max_length=8_000, description="`next` or `previous` of an earlier response"
    )

    def scope(self) -> str:
        """Return a string that identifies list, sort order and filters. A cursor is bound to it."""
        return type(self).__name__ + self.model_dump_json(exclude={"limit", "cursor"})


@dataclass(frozen=True, slots=True)
class CursorSlice(Generic[T]):
    """Rows of one page, before serialization, with the cursors of the adjacent pages."""

    items: Sequence[T]
    next: str | None
    previous: str | None


class CursorPage(BaseModel, Generic[T]):
    """A page of a list, with the cursors of the adjacent pages."""

    model_config = ConfigDict(from_attributes=True)

    items: list[T]
    next: str | None = Field(description="Cursor of the next page; null on the last page")
    previous: str | None = Field(description="Cursor of the previous page; null on the first page")
