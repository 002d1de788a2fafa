"""Offset pagination of a statement. Each row of the model is counted once, also after a join."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, func, inspect, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.interfaces import ORMOption

from app.kit.db.attributes import primary_key
from app.kit.page import (
    PageQuery,
    Slice,
    check_statement,
    distinct_by,
    has_entities,
    order_terms,
    repeats_rows,
)

# These names are re-exported for existing imports.
__all__ = [
    "check_statement",
    "distinct_by",
    "has_entities",
    "order_terms",
    "read_page",
    "repeats_rows",
]


async def read_page(
    session: AsyncSession,
    model: Any,
    query: PageQuery,
    statement: Select[Any],
    plan: Sequence[ORMOption],
) -> Slice[Any]:
    """Return one page of a statement and the total number of rows."""
    check_statement(statement)
    root = _root(model, statement)
    key = primary_key(root)
    ordered = statement.order_by(key)
    if repeats := repeats_rows(statement):
        ordered = distinct_by(ordered, order_terms(ordered))
    # With joined-table inheritance, the primary key already selects from the join.
    one_table = len(inspect(root).mapper.tables) == 1
    keys = ordered.with_only_columns(key, maintain_column_froms=one_table)
    counted = select(func.count()).select_from(keys.order_by(None).subquery())
    total = await session.scalar(counted) or 0
    page = ordered.limit(query.limit).offset(query.offset)
    entities = has_entities(statement)
    if query.offset and not entities and not repeats:
        # Selects primary keys first: otherwise the subqueries would run for skipped rows too.
        here = keys.limit(query.limit).offset(query.offset).correlate(None)
        page = ordered.where(key.in_(here))
    rows = await session.scalars(page.options(*plan))
    items = rows.unique().all() if entities else rows.all()
    return Slice(items, total, query.limit, query.offset)


def _root(model: Any, statement: Select[Any]) -> Any:
    """Return the entity that the statement selects: the model, a subclass, or an alias."""
    entity: Any = statement.column_descriptions[0].get("entity")
    found = inspect(entity, raiseerr=False)
    common = found is not None and found.mapper.base_mapper
    return entity if common is model.__mapper__.base_mapper else model
