"""Checks of request bodies: foreign keys, and batches that are stored as a whole."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar, cast

from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.kit.db.base import Base, any_of, primary_key
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
    """Yield a problem for each row whose value of a field also occurs in an earlier row.

    As in a unique constraint, two None values are not duplicates.
    """
    first: dict[Any, int] = {}
    for index, row in enumerate(rows):
        value = getattr(row, field)
        before = first.setdefault(value, index)
        if value is not None and before != index:
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
    """Run `check`, which raises a problem that names the invalid rows, and `store` in a savepoint.

    If `store` raises `Conflict`, both run once more, because another request may have stored a row
    after the check. The second check names that row, or accepts it for an upsert.
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


async def check_references(
    session: AsyncSession, body: BaseModel, models: Mapping[str, type[Base]]
) -> None:
    """Raise `Invalid` if a field contains the primary key of a row that does not exist.

    Locks the rows FOR SHARE: a concurrent DELETE waits until the transaction ends. A field contains
    a primary key, a list of them, or null. Fields that the client did not send are ignored.

    Args:
        session: the session of the request.
        body: the body of the request.
        models: the referenced model of each field.

    """
    problems: list[FieldProblem] = []
    for name, model in models.items():
        value = getattr(body, name) if name in body.model_fields_set else None
        given: set[Any] = set(cast("Any", value)) if isinstance(value, list) else {value}
        keys = given - {None}
        if not keys:
            continue
        # A fixed lock order prevents deadlocks.
        key = primary_key(model)
        statement = select(key).where(any_of(key, keys)).order_by(key)
        missing = keys - set(await session.scalars(statement.with_for_update(read=True)))
        if missing:
            message = f"does not exist: {', '.join(sorted(map(str, missing)))}"
            problems.append(FieldProblem(field=f"body.{name}", message=message))
    if problems:
        raise Invalid("The request refers to rows that do not exist.", *problems)
