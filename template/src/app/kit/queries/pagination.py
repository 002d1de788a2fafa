"""Pagination by offset or by cursor: query parameters, pages, and the statements of a page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ColumnElement, Select, TextClause, func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.sql.util import unwrap_order_by

from app.kit.db.base import primary_key

T = TypeVar("T")


class PageQuery(BaseModel):
    """Query parameters of an offset page. Add the filters of a list in a subclass."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(20, ge=1, le=100, description="Maximum number of rows")
    offset: int = Field(0, ge=0, le=100_000, description="Rows to skip")


@dataclass(frozen=True, slots=True)
class PageResult(Generic[T]):
    """Rows of one page, before serialization, with the total count."""

    items: Sequence[T]
    total: int
    limit: int
    offset: int


class Page(BaseModel, Generic[T]):
    """A page of a list, with the total count."""

    model_config = ConfigDict(from_attributes=True)

    items: list[T]
    total: int = Field(description="Number of rows on all pages")
    limit: int
    offset: int


class CursorQuery(BaseModel):
    """Query parameters of a cursor page. Add the filters and sort order in a subclass."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(20, ge=1, le=100, description="Maximum number of rows")
    cursor: str | None = Field(
        None, max_length=8_000, description="`next` or `previous` of an earlier response"
    )

    def scope(self) -> str:
        """Return the name of this class, the sort order and the filters, as one string.

        A cursor is valid only for the same string. Lists with the same query class share it.
        """
        return type(self).__name__ + self.model_dump_json(exclude={"limit", "cursor"})


@dataclass(frozen=True, slots=True)
class CursorPageResult(Generic[T]):
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


def ordered_rows(statement: Select[Any]) -> Select[Any]:
    """Add the primary key as the last term of ORDER BY, and remove repeated rows."""
    check_statement(statement)
    ordered = statement.order_by(_primary_key(statement))
    return distinct_by(ordered, _order_terms(ordered)) if repeats_rows(statement) else ordered


def count_rows(statement: Select[Any]) -> Select[int]:
    """Return a SELECT of the number of rows on all pages."""
    ordered, key = ordered_rows(statement), _primary_key(statement)
    keys = ordered.with_only_columns(key, maintain_column_froms=True).order_by(None)
    return select(func.count().label("total")).select_from(keys.subquery())


def _primary_key(statement: Any) -> Any:
    # The entity may be a subclass or an alias of the model.
    return primary_key(statement.column_descriptions[0]["entity"])


def check_statement(statement: Any) -> None:
    """Raise TypeError for a statement that does not support pagination."""
    if not isinstance(statement, Select):
        raise TypeError("A page needs a select(). Select from the UNION as a subquery.")
    clauses = cast("Any", statement)
    if clauses._limit_clause is not None or clauses._offset_clause is not None:
        raise TypeError("A page sets LIMIT and OFFSET itself. Limit the rows in a subquery.")
    if clauses._distinct and not has_entities(statement):
        raise TypeError("A page of columns does not support DISTINCT. Use it in a subquery.")


def has_entities(statement: Any) -> bool:
    """Return whether the statement returns ORM objects, not columns."""
    first = statement.column_descriptions[0]
    return first.get("entity") is not None and first["expr"] is first["entity"]


def repeats_rows(statement: Any) -> bool:
    """Return whether a join may repeat the rows of the model."""
    if statement._distinct or statement._setup_joins or statement._from_obj:
        return True
    # Computing `column_descriptions` takes as long as building the rest of the statement.
    root: Any = statement._raw_columns[0]._annotations.get("parententity")
    if root is None:
        return False
    own_tables = {root.selectable, *(root.mapper.tables if root.is_mapper else ())}
    clauses = (*statement._where_criteria, *statement._order_by_clauses)
    return any(table not in own_tables for clause in clauses for table in clause._from_objects)


def distinct_by(statement: Any, terms: Sequence[ColumnElement[Any]]) -> Any:
    """Return each row once per combination of these terms, which must come first in ORDER BY."""
    # DISTINCT compares whole rows, but PostgreSQL cannot compare JSON columns.
    return statement.ext(distinct_on(*terms))


def _order_terms(statement: Any) -> list[ColumnElement[Any]]:
    """Return the expressions in ORDER BY, without their directions."""
    terms: list[Any] = []
    for clause in statement._order_by_clauses:
        expressions: Any = unwrap_order_by(clause)
        if not expressions and not isinstance(clause, TextClause):
            raise TypeError(f"Order by an expression instead of the text {str(clause)!r}.")
        terms += expressions or [clause]
    return terms
