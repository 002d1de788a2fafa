"""Requests that carry many rows: all of them are taken, or none."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession

from app.kit.db.savepoint import savepoint
from app.kit.errors import Conflict, FieldProblem, Invalid
from app.kit.schemas import Input

T = TypeVar("T")


class Batch(Input, Generic[T]):
    """Rows to be stored together."""

    rows: list[T] = Field(min_length=1, max_length=1000)


def wrong(
    rows: Sequence[T], field: str, message: str, when: Callable[[T], bool]
) -> Iterator[FieldProblem]:
    """The rows of which a condition holds, by their place, with what is wrong with a field."""
    for index, row in enumerate(rows):
        if when(row):
            yield FieldProblem(field=f"body.rows.{index}.{field}", message=message)


def repeated(rows: Sequence[Any], field: str) -> Iterator[FieldProblem]:
    """The rows that share the value of a field with a row before them."""
    first: dict[Any, int] = {}
    for index, row in enumerate(rows):
        before = first.setdefault(getattr(row, field), index)
        if before != index:
            message = f"is the same as in row {before}"
            yield FieldProblem(field=f"body.rows.{index}.{field}", message=message)


def refuse(invalid: Sequence[FieldProblem], taken: Sequence[FieldProblem]) -> None:
    """Raise if anything is wrong: `Invalid` where it is with the rows, else `Conflict`."""
    if invalid:
        raise Invalid("Nothing was stored: there are rows that are not valid.", *invalid, *taken)
    if taken:
        raise Conflict("Nothing was stored: there are rows that are taken.", *taken)


async def checked(
    session: AsyncSession, check: Callable[[], Awaitable[None]], store: Callable[[], Awaitable[T]]
) -> T:
    """Store rows that a check, which refuses them by name, finds nothing wrong with.

    To store may be tried twice. A row may meet one in a second unique index that is the very same,
    stored a moment ago by another request: then the check finds nothing, and an upsert updates it.
    """
    await check()
    try:
        async with savepoint(session):
            return await store()
    except Conflict:
        # Somebody else was faster. What they stored is there to be seen now: look again, so that
        # the answer names the rows.
        await check()
    async with savepoint(session):
        return await store()
