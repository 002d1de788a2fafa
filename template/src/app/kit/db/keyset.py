"""Pages by cursor: each begins where another ended, and costs the same at any depth."""

from dataclasses import replace
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, and_, literal, select, tuple_, union_all
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.interfaces import ORMOption

from app.kit.cursor import Place, decode, encode
from app.kit.db.sorting import Order, SortKey
from app.kit.page import CursorQuery, CursorSlice

T = TypeVar("T")


async def keyset_page(
    session: AsyncSession, query: CursorQuery, statement: Select[T], order: Order, *plan: ORMOption
) -> CursorSlice[T]:
    """One page of a statement, in this order; rows that come and go move no other row."""
    scope, types = query.scope(), order.types
    place = decode(query.cursor, scope, types) if query.cursor is not None else Place()

    onward = order.reversed() if place.backward else order
    if place.values is not None:
        statement = _beyond(statement, onward, place.values, query.limit + 1)
    # The values of the order come along: they are the cursors of the first and the last row.
    values = [key.expression for key in order.keys]
    page = statement.add_columns(*values).order_by(None).order_by(*onward.clauses)
    found = (await session.execute(page.limit(query.limit + 1).options(*plan))).all()
    rows = found[: query.limit]
    if place.backward:
        rows = rows[::-1]

    def cursor_at(index: int, *, backward: bool) -> str:
        # Where all rows are gone, the way back begins at the end of the list.
        values = tuple(rows[index][1:]) if rows else None
        return encode(Place(values, backward), scope, types)

    # There is more onward if a row too many was found, and behind if the page began at a place.
    onward_more, behind = len(found) > query.limit, place.values is not None
    has_next, has_previous = (behind, onward_more) if place.backward else (onward_more, behind)
    return CursorSlice(
        items=[row[0] for row in rows],
        next=cursor_at(-1, backward=False) if has_next else None,
        previous=cursor_at(0, backward=True) if has_previous else None,
    )


def _beyond(statement: Select[T], order: Order, values: tuple[Any, ...], limit: int) -> Select[T]:
    """Keep the first rows after a place, as many as the limit."""
    ranges = _ranges(order, values)
    if len(ranges) == 1:
        return statement.where(ranges[0])
    # `a OR b` would read the index from its beginning; each range by itself begins at its place.
    columns = [key.expression.label(f"key_{index}") for index, key in enumerate(order.keys)]
    ordered = statement.with_only_columns(*columns).order_by(None).order_by(*order.clauses)
    nearest = (ordered.where(part).limit(limit).subquery().select() for part in ranges)
    together = list(union_all(*nearest).subquery().c)
    # So many keys and no more: with more, PostgreSQL might look for them along the whole order.
    first = [
        replace(key, expression=column).clause
        for key, column in zip(order.keys, together, strict=True)
    ]
    found = select(together[-1]).order_by(*first).limit(limit)
    return statement.where(order.keys[-1].expression.in_(found))


def _ranges(order: Order, values: tuple[Any, ...]) -> list[ColumnElement[bool]]:
    if order.is_uniform:
        mine = tuple_(*(key.expression for key in order.keys))
        theirs = tuple_(*map(_bound, order.keys, values))
        return [mine < theirs if order.keys[0].descending else mine > theirs]
    ranges: list[ColumnElement[bool]] = []
    ties: list[ColumnElement[bool]] = []
    for key, value in zip(order.keys, values, strict=True):
        ranges += [and_(*ties, part) for part in _after(key, value)]
        ties.append(
            key.expression.is_(None) if value is None else key.expression == _bound(key, value)
        )
    return ranges


def _after(key: SortKey, value: Any) -> list[ColumnElement[bool]]:
    if value is None:
        return [key.expression.is_not(None)] if key.nulls_first else []
    bound = _bound(key, value)
    beyond = key.expression < bound if key.descending else key.expression > bound
    # An explicit False: None says that there are no NULLs to come.
    return [beyond, key.expression.is_(None)] if key.nulls_first is False else [beyond]


def _bound(key: SortKey, value: Any) -> ColumnElement[Any]:
    return literal(value, key.expression.type)
