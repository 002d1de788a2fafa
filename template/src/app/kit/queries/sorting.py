"""Deterministic sort orders, with a unique key as tiebreaker."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self, TypeAlias

from sqlalchemy import (
    ColumnElement,
    Dialect,
    Label,
    PrimaryKeyConstraint,
    Text,
    UnaryExpression,
    UniqueConstraint,
    and_,
    cast,
    literal,
    tuple_,
    types,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql import operators
from sqlalchemy.types import TypeEngine

from app.kit.db.deletion import not_deleted

# Prefix of the labels of cursor columns. The name of an attribute cannot contain a colon.
CURSOR = "cursor:"

_Key: TypeAlias = InstrumentedAttribute[Any] | Sequence[InstrumentedAttribute[Any]]
_DIALECT: Dialect = postgresql.asyncpg.dialect()  # type: ignore[no-untyped-call]  # no annotations


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
    def text_type(self) -> TypeEngine[Any]:
        """The type to cast values to and from text, without loss.

        It has no length or precision, because the type of an expression is inferred, and values may
        exceed it. Raises TypeError for a type that PostgreSQL cannot sort.
        """
        text_type = _without_limits(self.expression.type)
        if text_type is None:
            raise TypeError(
                f"{self.expression}: PostgreSQL does not sort {self.expression.type!r}."
                " Sort by an expression of another type, such as a field cast to text."
                " Set the type of an untyped expression with type_coerce()."
            )
        return text_type

    def bound(self, text: str) -> ColumnElement[Any]:
        """Return a parameter with the value of this text, cast to the type of the expression."""
        return cast(literal(text, Text), self.text_type)

    def after(self, value: str | None) -> list[ColumnElement[bool]]:
        """Return conditions. A row is after this value if one of them is true."""
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
    def cursor(self) -> list[Label[str]]:
        """The values of a row in PostgreSQL's text format. `SortKey.bound` converts them back."""
        texts = [cast(cast(key.expression, key.text_type), Text) for key in self.keys]
        return [text.label(f"{CURSOR}{index}") for index, text in enumerate(texts)]

    @cached_property
    def is_uniform(self) -> bool:
        """Whether a row comparison such as `(a, b) > (1, 2)` follows this order."""
        directions = {(key.descending, key.nulls_first) for key in self.keys}
        return directions in ({(True, None)}, {(False, None)})

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
    order = SortOrder(tuple(keys), len(attributes))
    # Raises TypeError now, when the order is declared, not on the first request.
    _ = order.cursor
    return order


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


def _check_unique(attributes: Sequence[InstrumentedAttribute[Any]]) -> None:
    names = {attribute.expression.key for attribute in attributes}
    if not any(unique <= names for unique in _unique_columns(attributes[0].class_.__mapper__)):
        key = ", ".join(map(str, attributes))
        raise TypeError(f"{key} is not unique. Pass the whole primary key as a tuple.")
    for attribute in attributes:
        if getattr(attribute.expression, "nullable", True):
            raise TypeError(f"{attribute} may be NULL, so it is not unique. Pass the primary key.")


def _unique_columns(mapper: Any) -> Iterator[set[str]]:
    """Yield the columns of each unique constraint or index that covers every row."""
    # A unique index may leave out deleted rows. Compare SQL, because its condition is often a text.
    conditions = {"None", *(_unqualified(each) for each in not_deleted(mapper.class_))}
    for table in mapper.tables:
        for constraint in table.constraints:
            if isinstance(constraint, (PrimaryKeyConstraint, UniqueConstraint)):
                yield {column.key for column in constraint.columns}
        for index in table.indexes:
            condition = index.dialect_options["postgresql"].get("where")
            if index.unique and (condition is None or _unqualified(condition) in conditions):
                yield {column.key for column in index.columns}


def _unqualified(condition: Any) -> str:
    """Return the SQL of a condition without the table of its first column."""
    return re.sub(r"^\S+\.", "", str(condition).strip("() ")).casefold()


def _without_limits(column_type: TypeEngine[Any]) -> TypeEngine[Any] | None:
    """Return the type without length and precision, or None if PostgreSQL cannot sort it."""
    if isinstance(column_type, types.TypeDecorator):
        stored: TypeEngine[Any] = column_type.type_engine(_DIALECT)
    else:
        stored = column_type.dialect_impl(_DIALECT)
    match stored:
        case postgresql.JSONB() | postgresql.CITEXT() | types.Enum(native_enum=True):
            # PostgreSQL sorts JSONB, unlike JSON. Text would compare CITEXT with case.
            return stored
        case types.NullType() | types.JSON() | postgresql.JSONPATH():
            return None
        case types.ARRAY(item_type=item):
            # PostgreSQL compares only arrays of the same type.
            return None if _without_limits(item) is None else types.ARRAY(item)
        case types.CHAR(length=length):
            return types.CHAR(length)
        case types.String():
            return Text()
        case types.Integer():
            return types.BigInteger()
        case types.Float():
            # The text of a float4 has fewer digits: it would be read as another float8.
            return types.Double()
        case types.Numeric():
            return types.Numeric()
        case types.DateTime(timezone=timezone):
            return types.DateTime(timezone=timezone)
        case types.Time(timezone=timezone):
            return types.Time(timezone=timezone)
        case other:
            return other
