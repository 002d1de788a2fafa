"""Batch requests: all rows of a request are stored, or none."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession

from app.kit.errors.problems import Conflict, FieldProblem, Invalid
from app.kit.http.schemas import RequestModel
from app.kit.writes.transactions import savepoint

T = TypeVar("T")


class Batch(RequestModel, Generic[T]):
    """Rows to store together."""

    rows: list[T] = Field(min_length=1, max_length=1000)


def find_invalid(
    rows: Sequence[T], field: str, message: str, when: Callable[[T], bool]
) -> Iterator[FieldProblem]:
    """Yield a problem for each row that matches a condition, with the row's index in the path."""
    for index, row in enumerate(rows):
        if when(row):
            yield FieldProblem(field=f"body.rows.{index}.{field}", message=message)


def find_duplicates(rows: Sequence[Any], field: str) -> Iterator[FieldProblem]:
    """Yield a problem for each row whose value of a field also occurs in an earlier row."""
    first: dict[Any, int] = {}
    for index, row in enumerate(rows):
        before = first.setdefault(getattr(row, field), index)
        if before != index:
            message = f"must be unique, but is the same as in row {before}"
            yield FieldProblem(field=f"body.rows.{index}.{field}", message=message)


def raise_if_invalid(invalid: Sequence[FieldProblem], taken: Sequence[FieldProblem]) -> None:
    """Raise `Invalid` for invalid rows, or `Conflict` if the only problem is existing rows."""
    if invalid:
        raise Invalid("Nothing was stored, because some rows are invalid.", *invalid, *taken)
    if taken:
        raise Conflict("Nothing was stored, because some rows already exist.", *taken)


async def validate_then_store(
    session: AsyncSession, check: Callable[[], Awaitable[None]], store: Callable[[], Awaitable[T]]
) -> T:
    """Run `check`, which raises for invalid rows by name, and then `store` in a savepoint.

    After a conflict, both run once more. Another request may have stored a row between them. If the
    row is the same, the second check passes, and an upsert updates it.
    """
    await check()
    try:
        async with savepoint(session):
            return await store()
    except Conflict:
        # The row of the other request is visible now. Check again to name it in the response.
        await check()
    async with savepoint(session):
        return await store()
