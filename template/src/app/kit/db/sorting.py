"""Orders of rows that leave nothing to chance: every tie is broken by the key."""

from dataclasses import dataclass, replace
from typing import Annotated, Any, Self

from annotated_types import Interval
from pydantic import StringConstraints
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    DateTime,
    Integer,
    SmallInteger,
    String,
    UnaryExpression,
)
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql import operators

from app.kit.times import Moment


@dataclass(frozen=True, slots=True)
class SortKey:
    """One term of an order. `nulls_first` is None where there can be no NULL."""

    expression: ColumnElement[Any]
    descending: bool
    nulls_first: bool | None

    @property
    def clause(self) -> ColumnElement[Any]:
        """The term as `ORDER BY` takes it."""
        clause = self.expression.desc() if self.descending else self.expression.asc()
        if self.nulls_first is None:
            return clause
        return clause.nulls_first() if self.nulls_first else clause.nulls_last()

    @property
    def python_type(self) -> Any:
        """The type of its values, as narrow as what PostgreSQL takes for them."""
        nullable = self.nulls_first is not None
        return _python_type(self.expression) | None if nullable else _python_type(self.expression)

    def reversed(self) -> Self:
        """The term that sorts the other way round."""
        nulls_first = None if self.nulls_first is None else not self.nulls_first
        return replace(self, descending=not self.descending, nulls_first=nulls_first)


@dataclass(frozen=True, slots=True)
class Order:
    """A total order: no two rows are alike in it."""

    keys: tuple[SortKey, ...]

    @property
    def clauses(self) -> list[ColumnElement[Any]]:
        """The terms for `select().order_by()`."""
        return [key.clause for key in self.keys]

    @property
    def types(self) -> tuple[Any, ...]:
        """The type of each term's values."""
        return tuple(key.python_type for key in self.keys)

    @property
    def is_uniform(self) -> bool:
        """Whether whole rows can be compared in it, as `(a, b) > (1, 2)`."""
        one_direction = len({key.descending for key in self.keys}) == 1
        return one_direction and all(key.nulls_first is None for key in self.keys)

    def reversed(self) -> Self:
        """The same rows from the last to the first."""
        return replace(self, keys=tuple(key.reversed() for key in self.keys))


def order(key: InstrumentedAttribute[Any], *terms: UnaryExpression[Any]) -> Order:
    """An order by terms such as `Post.title.asc()`, with a unique key to break their ties.

    A term that may be NULL says where NULL goes: `.nulls_first()` or `.nulls_last()`.
    """
    keys = [_parse(term) for term in terms]
    # In the direction of its neighbour, so that one index serves them both.
    descending = bool(keys) and keys[-1].descending
    return Order((*keys, SortKey(key.expression, descending, nulls_first=None)))


def _parse(term: UnaryExpression[Any]) -> SortKey:
    nulls_first, inner = _nulls(term)
    expression = inner.element
    if getattr(expression, "nullable", True) and nulls_first is None:
        raise TypeError(f"{term} may be NULL: add .nulls_first() or .nulls_last()")
    return SortKey(expression, inner.modifier is operators.desc_op, nulls_first)


def _nulls(term: Any) -> tuple[bool | None, Any]:
    if term.modifier in (operators.nulls_first_op, operators.nulls_last_op):
        return term.modifier is operators.nulls_first_op, term.element
    return None, term


def _python_type(expression: ColumnElement[Any]) -> Any:
    match expression.type:
        case SmallInteger():
            return _integer(bits=16)
        case BigInteger():
            return _integer(bits=64)
        case Integer():
            return _integer(bits=32)
        case String(python_type=python_type) if python_type is str:
            return Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]
        case DateTime(timezone=True):
            return Moment
        case other:
            return other.python_type


def _integer(bits: int) -> Any:
    return Annotated[int, Interval(ge=-(2 ** (bits - 1)), lt=2 ** (bits - 1))]
