"""Deterministic sort orders, with a unique key as tiebreaker."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import StringConstraints
from sqlalchemy import (
    ARRAY,
    CHAR,
    JSON,
    BigInteger,
    ColumnElement,
    DateTime,
    Dialect,
    Double,
    Enum,
    Float,
    Integer,
    Label,
    Numeric,
    String,
    Text,
    Time,
    TypeDecorator,
    UnaryExpression,
    and_,
    cast,
    literal,
    tuple_,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql import operators
from sqlalchemy.types import NullType, TypeEngine

from app.kit.queries.pagination import unique_columns

# A value of a cursor: PostgreSQL's text format, or True if the cursor omits a long value.
_CursorValue = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")] | Literal[True]
_Key: TypeAlias = InstrumentedAttribute[Any] | Sequence[InstrumentedAttribute[Any]]


# Expressions are cached, because many requests use the same order.
@dataclass(frozen=True)
class SortKey:
    """One term of an order. `nulls_first` is None if the expression is never NULL."""

    expression: ColumnElement[Any]
    descending: bool
    nulls_first: bool | None

    @cached_property
    def clause(self) -> ColumnElement[Any]:
        """The ORDER BY clause."""
        clause = self.expression.desc() if self.descending else self.expression.asc()
        if self.nulls_first is None:
            return clause
        return clause.nulls_first() if self.nulls_first else clause.nulls_last()

    @cached_property
    def python_type(self) -> Any:
        """The Python type of its values in a cursor."""
        return _CursorValue if self.nulls_first is None else _CursorValue | None

    @cached_property
    def text_type(self) -> TypeEngine[Any]:
        """The type that converts values to text and back. Raises TypeError if it has no order."""
        return type_as_text(self.expression)

    @cached_property
    def as_text(self) -> Label[str]:
        """The value of a row in PostgreSQL's text format. `bound` converts it back without loss."""
        return cast(cast(self.expression, self.text_type), Text).label(None)

    def bound(self, text: str) -> ColumnElement[Any]:
        """Return a parameter with the value of this text, cast to the type of the expression."""
        return cast(literal(text, Text), self.text_type)

    def after(self, value: str | None) -> list[ColumnElement[bool]]:
        """Return the conditions for rows after this value: any of them must be true."""
        if value is None:
            return [self.expression.is_not(None)] if self.nulls_first else []
        bound = self.bound(value)
        after = self.expression < bound if self.descending else self.expression > bound
        return [after, self.expression.is_(None)] if self.nulls_first is False else [after]

    def reversed(self) -> Self:
        """Return the term with the opposite direction."""
        nulls_first = None if self.nulls_first is None else not self.nulls_first
        return replace(self, descending=not self.descending, nulls_first=nulls_first)


@dataclass(frozen=True)
class SortOrder:
    """A total order. The last `unique` keys together are unique."""

    keys: tuple[SortKey, ...]
    unique: int = 1

    @cached_property
    def clauses(self) -> list[ColumnElement[Any]]:
        """The terms for `select().order_by()`."""
        return [key.clause for key in self.keys]

    @cached_property
    def types(self) -> tuple[Any, ...]:
        """The Python type of each term's values in a cursor."""
        return tuple(key.python_type for key in self.keys)

    @cached_property
    def is_uniform(self) -> bool:
        """Whether a row comparison such as `(a, b) > (1, 2)` follows this order."""
        one_direction = len({key.descending for key in self.keys}) == 1
        return one_direction and all(key.nulls_first is None for key in self.keys)

    def reversed(self) -> Self:
        """Return the reverse order."""
        return replace(self, keys=tuple(key.reversed() for key in self.keys))

    def after(self, values: Sequence[Any]) -> list[ColumnElement[bool]]:
        """Return the conditions for rows after these values. Each is one range of an index."""
        if self.is_uniform:
            row = tuple_(*(key.expression for key in self.keys))
            bound = [key.bound(value) for key, value in zip(self.keys, values, strict=True)]
            return [row < tuple_(*bound) if self.keys[0].descending else row > tuple_(*bound)]
        ranges: list[ColumnElement[bool]] = []
        equal: list[ColumnElement[bool]] = []
        for key, value in zip(self.keys, values, strict=True):
            ranges += [and_(*equal, condition) for condition in key.after(value)]
            equal.append(
                key.expression.is_(None) if value is None else key.expression == key.bound(value)
            )
        return ranges


def order_by(*terms: UnaryExpression[Any], tiebreaker: _Key) -> SortOrder:
    """Return an order by terms such as `Post.title.asc()`, and then by a unique key.

    The key is the primary key or another unique column. Pass several columns as a tuple if they are
    unique together. A nullable term needs `.nulls_first()` or `.nulls_last()`.

    Raises TypeError if PostgreSQL cannot sort a column, or if the key is not unique.
    """
    if isinstance(tiebreaker, UnaryExpression):
        raise TypeError(
            f"Pass {tiebreaker} as a term, and a column without direction as tiebreaker."
        )
    attributes = [tiebreaker] if isinstance(tiebreaker, InstrumentedAttribute) else list(tiebreaker)
    _check_unique(attributes)
    keys = [_parse(term) for term in terms]
    # The same direction as the last term, so that one index covers both.
    descending = bool(keys) and keys[-1].descending
    keys += [SortKey(column.expression, descending, nulls_first=None) for column in attributes]
    for sort_key in keys:
        # Raises TypeError now, when the order is declared, not on the first request.
        type_as_text(sort_key.expression)
    return SortOrder(tuple(keys), len(attributes))


def _check_unique(attributes: Sequence[InstrumentedAttribute[Any]]) -> None:
    names = {attribute.expression.key for attribute in attributes}
    if not any(unique <= names for unique in unique_columns(attributes[0].class_.__mapper__)):
        key = ", ".join(map(str, attributes))
        raise TypeError(f"{key} is not unique. Pass the whole primary key as a tuple.")
    for attribute in attributes:
        if getattr(attribute.expression, "nullable", True):
            raise TypeError(f"{attribute} may be NULL, so it is not unique. Pass the primary key.")


def _parse(term: UnaryExpression[Any]) -> SortKey:
    nulls_first: bool | None = None
    directed: Any = term
    if getattr(term, "modifier", None) in (operators.nulls_first_op, operators.nulls_last_op):
        nulls_first, directed = term.modifier is operators.nulls_first_op, term.element
    if getattr(directed, "modifier", None) not in (operators.asc_op, operators.desc_op):
        raise TypeError(f"{term} has no direction. Add .asc() or .desc().")
    expression = directed.element
    if getattr(expression, "nullable", True) and nulls_first is None:
        raise TypeError(f"{term} may be NULL. Add .nulls_first() or .nulls_last().")
    return SortKey(expression, directed.modifier is operators.desc_op, nulls_first)


_DIALECT: Dialect = postgresql.asyncpg.dialect()  # type: ignore[no-untyped-call]  # no annotations


def type_as_text(expression: ColumnElement[Any]) -> TypeEngine[Any]:
    """Return the type to cast the values of an expression to and from text, without loss.

    It has no length or precision, because the type of an expression is inferred, and values may
    exceed it. Raises TypeError for a type that PostgreSQL cannot sort.
    """
    text_type = _without_limits(expression.type)
    if text_type is None:
        raise TypeError(
            f"{expression}: PostgreSQL does not sort {expression.type!r}."
            " Sort by an expression of another type, such as a field cast to text."
            " Set the type of an untyped expression with type_coerce()."
        )
    return text_type


def _without_limits(column_type: TypeEngine[Any]) -> TypeEngine[Any] | None:
    """Return the type without length and precision, or None if PostgreSQL cannot sort it."""
    if isinstance(column_type, TypeDecorator):
        stored: TypeEngine[Any] = column_type.type_engine(_DIALECT)
    else:
        stored = column_type.dialect_impl(_DIALECT)
    match stored:
        case postgresql.JSONB() | postgresql.CITEXT():
            # PostgreSQL sorts JSONB, unlike JSON. Text would compare CITEXT with case.
            return stored
        case NullType() | JSON() | postgresql.JSONPATH():
            return None
        case ARRAY(item_type=item):
            # PostgreSQL compares only arrays of the same type.
            return None if _without_limits(item) is None else ARRAY(item)
        case Enum(native_enum=True):
            return stored
        case CHAR(length=length):
            return CHAR(length)
        case String():
            return Text()
        case Integer():
            return BigInteger()
        case Float():
            # The text of a float4 has fewer digits: it would be read as another float8.
            return Double()
        case Numeric():
            return Numeric()
        case DateTime(timezone=timezone):
            return DateTime(timezone=timezone)
        case Time(timezone=timezone):
            return Time(timezone=timezone)
        case other:
            return other
