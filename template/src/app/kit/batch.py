"""Requests that carry many rows: all of them are taken, or none."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from pydantic import Field

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
