"""Deterministic sort orders: a unique key breaks every tie."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import StringConstraints
from sqlalchemy import (
    ColumnElement,
    Index,
    Label,
    PrimaryKeyConstraint,
    Text,
    UnaryExpression,
    UniqueConstraint,
    and_,
    cast,
    literal,
    tuple_,
)
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql import operators
from sqlalchemy.types import TypeEngine

from app.kit.db.sort_types import type_as_text

# PostgreSQL's text form of a value; True where it is too long for a cursor.
_Text = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")] | Literal[True]


# Their expressions are built once, as an order serves many requests.
@dataclass(frozen=True)
class SortKey:
    """One term of an order. `nulls_first` is None where there can be no NULL."""

    expression: ColumnElement[Any]
    descending: bool
    nulls_first: bool | None

    @cached_property
    def clause(self) -> ColumnElement[Any]:
        """The term as `ORDER BY` takes it."""
        clause = self.expression.desc() if self.descending else self.expression.asc()
        if self.nulls_first is None:
            return clause
        return clause.nulls_first() if self.nulls_first else clause.nulls_last()

    @cached_property
    def python_type(self) -> Any:
        """The type of its values in a cursor."""
        return _Text if self.nulls_first is None else _Text | None

    @cached_property
    def text_type(self) -> TypeEngine[Any]:
        """The type that reads and writes its values as text; TypeError if it has no order."""
        return type_as_text(self.expression)

    @cached_property
    def as_text(self) -> Label[str]:
        """The value of a row as PostgreSQL writes it; every value can be read back."""
        return cast(cast(self.expression, self.text_type), Text).label(None)

    def bound(self, text: str) -> ColumnElement[Any]:
        """The value with this text, as a parameter."""
        return cast(literal(text, Text), self.text_type)

    def after(self, value: str | None) -> list[ColumnElement[bool]]:
        """The conditions on the rows after this value."""
        if value is None:
            return [self.expression.is_not(None)] if self.nulls_first else []
        bound = self.bound(value)
        beyond = self.expression < bound if self.descending else self.expression > bound
        # An explicit False: None says that there are no NULLs to come.
        return [beyond, self.expression.is_(None)] if self.nulls_first is False else [beyond]

    def reversed(self) -> Self:
        """The term that sorts the other way round."""
        nulls_first = None if self.nulls_first is None else not self.nulls_first
        return replace(self, descending=not self.descending, nulls_first=nulls_first)


@dataclass(frozen=True)
class Order:
    """A total order: the last `unique` keys together are different in every row."""

    keys: tuple[SortKey, ...]
    unique: int = 1

    @cached_property
    def clauses(self) -> list[ColumnElement[Any]]:
        """The terms for `select().order_by()`."""
        return [key.clause for key in self.keys]

    @cached_property
    def types(self) -> tuple[Any, ...]:
        """The type of each term's values."""
        return tuple(key.python_type for key in self.keys)

    @cached_property
    def is_uniform(self) -> bool:
        """Whether whole rows can be compared in it, as `(a, b) > (1, 2)`."""
        one_direction = len({key.descending for key in self.keys}) == 1
        return one_direction and all(key.nulls_first is None for key in self.keys)

    def reversed(self) -> Self:
        """The same rows from the last to the first."""
        return self._reversed

    def after(self, values: Sequence[Any]) -> list[ColumnElement[bool]]:
        """The conditions on the rows after these values, each of which an index can begin at."""
        if self.is_uniform:
            mine = tuple_(*(key.expression for key in self.keys))
            theirs = [key.bound(value) for key, value in zip(self.keys, values, strict=True)]
            return [mine < tuple_(*theirs) if self.keys[0].descending else mine > tuple_(*theirs)]
        ranges: list[ColumnElement[bool]] = []
        ties: list[ColumnElement[bool]] = []
        for key, value in zip(self.keys, values, strict=True):
            ranges += [and_(*ties, part) for part in key.after(value)]
            ties.append(
                key.expression.is_(None) if value is None else key.expression == key.bound(value)
            )
        return ranges

    @cached_property
    def _reversed(self) -> Self:
        return replace(self, keys=tuple(key.reversed() for key in self.keys))


def order(
    key: InstrumentedAttribute[Any] | Sequence[InstrumentedAttribute[Any]],
    *terms: UnaryExpression[Any],
) -> Order:
    """An order by terms such as `Post.title.asc()`, with a unique key to break their ties.

    The key is a primary key or another unique column; where several columns are unique together,
    pass them as a tuple. A term that may be NULL says where NULL goes: `.nulls_first()` or
    `.nulls_last()`. Raises TypeError where a column has no order or the key is not unique.
    """
    attributes = [key] if isinstance(key, InstrumentedAttribute) else list(key)
    _check_unique(attributes)
    keys = [_parse(term) for term in terms]
    # In the direction of its neighbour, so that one index serves them both.
    descending = bool(keys) and keys[-1].descending
    ties = [SortKey(each.expression, descending, nulls_first=None) for each in attributes]
    for each in (*keys, *ties):
        _ = each.text_type
    return Order((*keys, *ties), len(ties))


def _check_unique(key: Sequence[InstrumentedAttribute[Any]]) -> None:
    named = ", ".join(map(str, key))
    names = {each.expression.key for each in key}
    if not any(unique <= names for unique in _unique_columns(key[0].class_.__mapper__)):
        raise TypeError(f"{named}: not unique. Pass the whole primary key to order(), as a tuple.")
    for each in key:
        if getattr(each.expression, "nullable", True):
            raise TypeError(f"{each} may be NULL, so it is not unique: pass the primary key.")


def _unique_columns(mapper: Any) -> Iterator[set[str]]:
    for table in mapper.tables:
        for item in (*table.constraints, *table.indexes):
            unique = item.unique if isinstance(item, Index) else isinstance(item, _UNIQUE)
            if unique:
                yield {column.key for column in item.columns}


_UNIQUE = (PrimaryKeyConstraint, UniqueConstraint)


def _parse(term: UnaryExpression[Any]) -> SortKey:
    nulls_first, inner = _nulls(term)
    if getattr(inner, "modifier", None) not in (operators.asc_op, operators.desc_op):
        raise TypeError(f"{term} has no direction: add .asc() or .desc()")
    expression = inner.element
    if getattr(expression, "nullable", True) and nulls_first is None:
        raise TypeError(f"{term} may be NULL: add .nulls_first() or .nulls_last()")
    return SortKey(expression, inner.modifier is operators.desc_op, nulls_first)


def _nulls(term: Any) -> tuple[bool | None, Any]:
    modifier = getattr(term, "modifier", None)
    if modifier in (operators.nulls_first_op, operators.nulls_last_op):
        return modifier is operators.nulls_first_op, term.element
    return None, term
