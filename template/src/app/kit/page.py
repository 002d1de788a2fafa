"""Pages of a list, by offset or by cursor."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

T = TypeVar("T")


class PageQuery(BaseModel):
    """Which page to read. Subclass it with the filters of a list."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(20, ge=1, le=100, description="Rows on a page")
    offset: int = Field(0, ge=0, le=100_000, description="Rows to pass over")


@dataclass(frozen=True, slots=True)
class Slice(Generic[T]):
    """What a repository found: the rows of one page and the total over all pages."""

    items: Sequence[T]
    total: int
    limit: int
    offset: int


class Page(BaseModel, Generic[T]):
    """What a list endpoint answers."""

    model_config = ConfigDict(from_attributes=True)

    items: list[T]
    total: int = Field(description="Rows on all pages together")
    limit: int
    offset: int


class CursorQuery(BaseModel):
    """Which page to read of a list read by cursor. Subclass it with sort and filters."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(20, ge=1, le=100, description="Rows on a page")
    cursor: str | None = Field(
        None, max_length=8_000, description="`next` or `previous` of another page"
    )

    def scope(self) -> str:
        """What a cursor is bound to: the list, its sort and its filters."""
        return type(self).__name__ + self.model_dump_json(exclude={"limit", "cursor"})


@dataclass(frozen=True, slots=True)
class CursorSlice(Generic[T]):
    """What a repository found: the rows of one page, and the cursors of its neighbours."""

    items: Sequence[T]
    next: str | None
    previous: str | None


class CursorPage(BaseModel, Generic[T]):
    """What a list endpoint answers that is followed by cursor."""

    model_config = ConfigDict(from_attributes=True)

    items: list[T]
    next: str | None = Field(description="Cursor of the page after this one")
    previous: str | None = Field(description="Cursor of the page before this one")
