"""Keyset (cursor) pagination: a page costs the same at any depth."""

import hashlib
import json
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, TypeAlias

from pydantic import StringConstraints, TypeAdapter
from sqlalchemy import Select, func, or_, select, tuple_, union_all
from sqlalchemy.exc import DBAPIError

from app.kit.errors.database_errors import sqlstate
from app.kit.errors.problems import FieldProblem, Invalid
from app.kit.queries.pagination import (
    CursorPageResult,
    CursorQuery,
    check_statement,
    distinct_by,
    repeats_rows,
)
from app.kit.queries.sorting import SortOrder

# Instead of a value of more than 1,000 bytes, a cursor contains its SHA-256, in a list. The next
# page reads the value from the row again.
_MAX_VALUE_SIZE = 1000

# The version of the cursor format.
VERSION = 2
# The content of a cursor: version, direction, values in PostgreSQL's text format, digest.
_Value: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")] | tuple[str] | None
_CONTENT: TypeAdapter[Any] = TypeAdapter(tuple[int, bool, tuple[_Value, ...] | None, str])

# A function that runs a statement and returns its rows.
Find: TypeAlias = Callable[[Select[Any]], Awaitable[list[Any]]]


class InvalidCursor(Invalid):
    """The cursor is from another list, or from the same list with another sort or filter."""

    def __init__(self) -> None:
        message = "must be `next` or `previous` of a page with the same sort and filters"
        problem = FieldProblem(field="query.cursor", message=message)
        super().__init__("The cursor does not belong to this list.", problem)


@dataclass(frozen=True, slots=True)
class CursorPosition:
    """A position after a row (or before it if `backward`).

    Without values, it is the start of the list (or its end if `backward`).
    """

    values: tuple[Any, ...] | None = None
    backward: bool = False


def encode_cursor(position: CursorPosition, scope: str) -> str:
    """Return the cursor of a position. It is valid only for the same `scope`."""
    content = (VERSION, position.backward, position.values, _digest(position, scope))
    return urlsafe_b64encode(_CONTENT.dump_json(content)).decode().rstrip("=")


def decode_cursor(cursor: str, scope: str, order: SortOrder) -> CursorPosition:
    """Return the position of a cursor in this order, or raise `InvalidCursor`."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        content = b64decode(padded, altchars=b"-_", validate=True)
        version, backward, values, digest = _CONTENT.validate_json(content, strict=True)
        for key, value in zip(order.keys, values or (), strict=values is not None):
            if value is None and key.nulls_first is None:
                raise InvalidCursor
    except ValueError:
        raise InvalidCursor from None
    position = CursorPosition(values, backward)
    if version != VERSION or digest != _digest(position, scope):
        raise InvalidCursor
    return position


def _digest(position: CursorPosition, scope: str) -> str:
    # The digest detects mistakes, it is not a signature. A forged cursor gives no additional
    # access: the filters come from the request, and the values are validated.
    content = _CONTENT.dump_json((VERSION, position.backward, position.values, scope))
    return hashlib.sha256(content).hexdigest()[:16]


async def paginate_keyset(
    find: Find, query: CursorQuery, statement: Select[Any], order: SortOrder
) -> CursorPageResult[Any]:
    """Return one page of a statement in this order.

    Concurrent inserts and deletes neither repeat nor skip other rows. If a join returns a row
    several times, the page contains it once.

    `find` runs a statement and returns tuples: an item, and the values of its cursor.

    Raises TypeError for a statement with GROUP BY, LIMIT or OFFSET.
    """
    check_statement(statement)
    clauses: Any = statement
    if clauses._group_by_clauses:
        raise TypeError("A page does not support GROUP BY. Join a grouped subquery instead.")
    scope, start = query.scope(), CursorPosition()
    if query.cursor is not None:
        start = decode_cursor(query.cursor, scope, order)
    if repeats_rows(statement):
        statement = distinct_by(statement, [key.expression for key in order.keys])

    # If the additional row exists, another page follows in this direction.
    found = await _fetch_rows(find, query.limit + 1, statement, order, start)
    has_more = len(found) > query.limit
    rows = found[: query.limit]
    if start.backward:
        rows = rows[::-1]

    def cursor_at(index: int, *, backward: bool) -> str:
        # An empty page has no position: its `previous` starts at the end of the list, its `next` at
        # the start.
        values = _cursor_values(order, rows[index][1:]) if rows else None
        return encode_cursor(CursorPosition(values, backward), scope)

    # A page that starts at a position also has a page in the opposite direction.
    has_start = start.values is not None
    has_next, has_previous = (has_start, has_more) if start.backward else (has_more, has_start)
    return CursorPageResult(
        items=[row[0] for row in rows],
        next=cursor_at(-1, backward=False) if has_next else None,
        previous=cursor_at(0, backward=True) if has_previous else None,
    )


async def _fetch_rows(
    find: Find, limit: int, statement: Select[Any], order: SortOrder, start: CursorPosition
) -> list[Any]:
    """Return up to `limit` rows after a position, each with the values of its cursor."""
    direction = order.reversed() if start.backward else order
    selected = statement.add_columns(*order.cursor)
    try:
        if start.values is not None:
            values = await _read_omitted(find, selected, order, start.values)
            selected = _after(selected, direction, values, limit)
        return await find(selected.order_by(None).order_by(*direction.clauses).limit(limit))
    except DBAPIError as error:
        # A forged cursor may contain invalid values (SQLSTATE class 22) or deep nesting (54). An
        # error in the data, such as a division by zero, has the same class.
        if start.values is not None and sqlstate(error).startswith(("22", "54")):
            raise InvalidCursor from error
        raise


def _cursor_values(order: SortOrder, row: Sequence[Any]) -> tuple[Any, ...]:
    """Return the values of a row for its cursor, without long values. Raises TypeError for NULL."""
    for key, value in zip(order.keys, row, strict=True):
        if value is None and key.nulls_first is None:
            message = f"{key.expression} is NULL in a row. Add .nulls_first() or .nulls_last()."
            raise TypeError(message)
    # The unique values are never omitted, because they identify the row.
    return (*map(_shortened, row[: -order.unique]), *row[-order.unique :])


def _shortened(value: str | None) -> _Value:
    if value is None or len(json.dumps(value, ensure_ascii=False).encode()) <= _MAX_VALUE_SIZE:
        return value
    return (hashlib.sha256(value.encode()).hexdigest(),)


async def _read_omitted(
    find: Find, selected: Select[Any], order: SortOrder, values: tuple[Any, ...]
) -> tuple[Any, ...]:
    """Return the values of a cursor, with the omitted ones read from its row.

    Raises InvalidCursor if the row does not exist any more.
    """
    omitted: list[Any] = [
        func.encode(func.sha256(func.convert_to(text.element, "UTF8")), "hex") == value[0]
        for text, value in zip(order.cursor, values, strict=True)
        if isinstance(value, tuple)
    ]
    if not omitted:
        return values
    # A join may return several rows with the same unique values.
    unique = zip(order.keys[-order.unique :], values[-order.unique :], strict=True)
    same_row = [*omitted, *(key.expression == key.bound(value) for key, value in unique)]
    # DISTINCT ON requires its expressions first in ORDER BY.
    ordered = selected.order_by(None).order_by(*order.clauses)
    found = await find(ordered.where(*same_row).limit(1))
    if not found:
        raise InvalidCursor
    return tuple(
        stored if isinstance(value, tuple) else value
        for value, stored in zip(values, found[0][1:], strict=True)
    )


def _after(
    statement: Select[Any], order: SortOrder, values: tuple[Any, ...], limit: int
) -> Select[Any]:
    """Add a condition for rows after a position. At least the first `limit` rows match it."""
    ranges = order.after(values)
    if len(ranges) == 1:
        return statement.where(ranges[0])
    # With `a OR b`, PostgreSQL would scan the index from its start. A UNION ALL of ranges uses an
    # index scan for each range.
    labels = [key.expression.label(f"key_{index}") for index, key in enumerate(order.keys)]
    ordered = statement.with_only_columns(*labels).order_by(None).order_by(*order.clauses)
    rows = (ordered.where(condition).limit(limit).subquery().select() for condition in ranges)
    columns = list(union_all(*rows).subquery().c)
    # Without LIMIT, PostgreSQL might scan the whole index in order instead of reading rows by key.
    clauses = [
        replace(key, expression=column).clause
        for key, column in zip(order.keys, columns, strict=True)
    ]
    first = select(*columns[-order.unique :]).order_by(*clauses).limit(limit)
    unique = [key.expression for key in order.keys[-order.unique :]]
    is_near = (tuple_(*unique) if len(unique) > 1 else unique[0]).in_(first)
    # A join may return a row before and after the position.
    return statement.where(is_near, or_(*ranges))
