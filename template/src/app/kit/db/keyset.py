"""Pages by cursor: each begins where another ended, and costs the same at any depth.

A cursor is a place in an ordered list, as text that a client hands back unread.
"""

import hashlib
import json
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import cache
from types import GenericAlias
from typing import Any, Literal, TypeAlias, TypeVar

from pydantic import TypeAdapter
from sqlalchemy import Select, select, tuple_, union_all
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.interfaces import ORMOption

from app.kit.db.sorting import Order
from app.kit.errors import FieldProblem, Invalid
from app.kit.page import (
    CursorQuery,
    CursorSlice,
    check_statement,
    distinct_by,
    has_entities,
    repeats_rows,
)

T = TypeVar("T")
Values = tuple[Any, ...]
VERSION = 2
# Bytes of a value in a cursor. A longer value is read again from the row.
_LONGEST = 1000

# Runs a statement, and returns its rows.
Find: TypeAlias = Callable[[Select[Any]], Awaitable[list[Any]]]


class BadCursor(Invalid):
    """The cursor was not given out for this list, with this sort and these filters."""

    def __init__(self) -> None:
        message = "take `next` or `previous` of a page with the same sort and filters"
        problem = FieldProblem(field="query.cursor", message=message)
        super().__init__("The cursor does not belong to this list.", problem)


@dataclass(frozen=True, slots=True)
class Place:
    """After a row of a list, or before it; with no values, the list's very start or end."""

    values: tuple[Any, ...] | None = None
    backward: bool = False


async def keyset_page(
    session: AsyncSession, query: CursorQuery, statement: Select[T], order: Order, *plan: ORMOption
) -> CursorSlice[T]:
    """One page of a statement by a session, see `paginate_keyset`."""

    async def find(page: Select[Any]) -> list[Any]:
        result = await session.execute(page.options(*plan))
        return list(result.unique() if has_entities(page) else result)

    return await paginate_keyset(find, find, query, statement, order)


async def paginate_keyset(
    find: Find, find_values: Find, query: CursorQuery, statement: Select[Any], order: Order
) -> CursorSlice[Any]:
    """One page of a statement, in this order; rows that come and go move no other row.

    `find` returns items, each with the values of its cursor; `find_values` returns such values.

    A join may find a row several times; a page has it once. Raises TypeError for a statement with
    GROUP BY, LIMIT or OFFSET.
    """
    check_statement(statement)
    parts: Any = statement
    if parts._group_by_clauses:
        raise TypeError("keyset_page takes no GROUP BY: join a grouped subquery.")
    scope, types = query.scope(), order.types
    place = decode(query.cursor, scope, types) if query.cursor is not None else Place()
    if repeats_rows(statement):
        statement = distinct_by(statement, [key.expression for key in order.keys])

    found = await _find(find, find_values, query.limit + 1, statement, order, place)
    rows = found[: query.limit]
    if place.backward:
        rows = rows[::-1]

    def cursor_at(index: int, *, backward: bool) -> str:
        # Where all rows are gone, the way back begins at the end of the list.
        values = _values(order, rows[index][1:]) if rows else None
        return encode(Place(values, backward), scope, types)

    # There is more onward if a row too many was found, and behind if the page began at a place.
    onward_more, behind = len(found) > query.limit, place.values is not None
    has_next, has_previous = (behind, onward_more) if place.backward else (onward_more, behind)
    return CursorSlice(
        items=[row[0] for row in rows],
        next=cursor_at(-1, backward=False) if has_next else None,
        previous=cursor_at(0, backward=True) if has_previous else None,
    )


async def _find(
    find: Find,
    find_values: Find,
    limit: int,
    statement: Select[Any],
    order: Order,
    place: Place,
) -> list[Any]:
    """The rows from a place on, each with the values of the order: its cursor."""
    onward = order.reversed() if place.backward else order
    page = statement
    try:
        if place.values is not None:
            values = await _complete(find_values, statement, order, place.values)
            page = _beyond(statement, onward, values, limit)
        page = page.add_columns(*(key.as_text for key in order.keys))
        return await find(page.order_by(None).order_by(*onward.clauses).limit(limit))
    except DBAPIError as error:
        # 22: not a value of its type. 54: nested too deep. The digest of a cursor is no signature.
        code = str(getattr(error.driver_exception, "sqlstate", ""))
        if place.values is not None and code.startswith(("22", "54")):
            raise BadCursor from error
        raise


def _values(order: Order, row: Any) -> Values:
    for key, value in zip(order.keys, row, strict=True):
        if value is None and key.nulls_first is None:
            raise TypeError(
                f"{key.expression} is NULL in a row: add .nulls_first() or .nulls_last()"
            )
    ties = len(order.keys) - order.unique
    return tuple(
        True
        if index < ties and len(json.dumps(value, ensure_ascii=False).encode()) > _LONGEST
        else value
        for index, value in enumerate(row)
    )


async def _complete(find: Find, statement: Select[Any], order: Order, values: Values) -> Values:
    """The values of a cursor, with those that were too long for it; `BadCursor` if it is gone."""
    if True not in values:
        return values
    unique = zip(order.keys[-order.unique :], values[-order.unique :], strict=True)
    row: Any = statement.with_only_columns(*(key.as_text for key in order.keys)).order_by(None)
    if repeats_rows(statement):
        row = row.order_by(*order.clauses)
    row = row.where(*(key.expression == key.bound(value) for key, value in unique)).limit(1)
    found = await find(row)
    if not found:
        raise BadCursor
    return tuple(
        after if before is True else before for before, after in zip(values, found[0], strict=True)
    )


def _beyond(statement: Select[Any], order: Order, values: Values, limit: int) -> Select[Any]:
    """Keep the first rows after a place, as many as the limit."""
    ranges = order.after(values)
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
    found = select(*together[-order.unique :]).order_by(*first).limit(limit)
    unique = [key.expression for key in order.keys[-order.unique :]]
    return statement.where((tuple_(*unique) if len(unique) > 1 else unique[0]).in_(found))


def encode(place: Place, scope: str, types: tuple[Any, ...]) -> str:
    """Write a place down; `scope` is what it may be used for, and is not part of the text."""
    content = (VERSION, place.backward, place.values, _digest(place, scope, types))
    return urlsafe_b64encode(_format(types).dump_json(content)).decode().rstrip("=")


def decode(cursor: str, scope: str, types: tuple[Any, ...]) -> Place:
    """Read a place, or raise `BadCursor`; its values are of these types."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        content = b64decode(padded, altchars=b"-_", validate=True)
        _version, backward, values, digest = _format(types).validate_json(content, strict=True)
    except ValueError:
        raise BadCursor from None
    place = Place(values, backward)
    if digest != _digest(place, scope, types):
        raise BadCursor
    return place


def _digest(place: Place, scope: str, types: tuple[Any, ...]) -> str:
    # It catches mistakes. Who forges one anyway reads no more than the list shows to anybody:
    # the filters are those of the request, and the values are checked by their types.
    content = _format(types).dump_json((VERSION, place.backward, place.values, scope))
    return hashlib.sha256(content).hexdigest()[:16]


@cache
def _format(types: tuple[Any, ...]) -> TypeAdapter[Any]:
    values = GenericAlias(tuple, types)
    content: Any = GenericAlias(tuple, (Literal[2], bool, values | None, str))
    return TypeAdapter(content)
