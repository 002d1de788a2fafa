"""Pages of a list, by offset."""

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
