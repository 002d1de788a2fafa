"""Sortable column types, and the type that a cursor uses to compare their values."""

from typing import Any

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
    Numeric,
    String,
    Text,
    Time,
    TypeDecorator,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import NullType, TypeEngine

_DIALECT: Dialect = postgresql.asyncpg.dialect()  # type: ignore[no-untyped-call]  # no annotations


def type_as_text(expression: ColumnElement[Any]) -> TypeEngine[Any]:
    """Return the type to cast the values of an expression to and from text, without loss.

    It has no length or precision, because the type of an expression is inferred, and values may
    exceed it. Raises TypeError for a type that PostgreSQL cannot sort.
    """
    found = _unlimited(expression.type)
    if found is None:
        raise TypeError(
            f"{expression}: PostgreSQL does not sort {expression.type!r}."
            " Sort by an expression of another type, such as a field cast to text."
            " Set the type of an untyped expression with type_coerce()."
        )
    return found


def _unlimited(kind: TypeEngine[Any]) -> TypeEngine[Any] | None:
    if isinstance(kind, TypeDecorator):
        stored: TypeEngine[Any] = kind.type_engine(_DIALECT)
    else:
        stored = kind.dialect_impl(_DIALECT)
    match stored:
        case postgresql.JSONB():
            return stored
        case NullType() | JSON() | postgresql.JSONPATH():
            return None
        case ARRAY(item_type=item):
            # PostgreSQL compares only arrays of the same type.
            return None if _unlimited(item) is None else ARRAY(item)
        case Enum(native_enum=True):
            return stored
        case CHAR(length=length):
            return CHAR(length)
        case String():
            return Text()
        case Integer():
            return BigInteger()
        case Float():
            # The conversion of float4 to float8 is exact, the text of float4 is not.
            return Double()
        case Numeric():
            return Numeric()
        case DateTime(timezone=timezone):
            return DateTime(timezone=timezone)
        case Time(timezone=timezone):
            return Time(timezone=timezone)
        case other:
            return other
