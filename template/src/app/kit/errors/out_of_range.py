"""Find the fields of a request whose values a column cannot store.

PostgreSQL and asyncpg do not always name the column of a rejected value. This module therefore
checks the values of the request against the column types of the statement's tables.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from itertools import chain, islice
from typing import Any, cast

from sqlalchemy import (
    ARRAY,
    JSON,
    REAL,
    BigInteger,
    DateTime,
    Enum,
    Float,
    Integer,
    Numeric,
    SmallInteger,
    String,
    Time,
)
from sqlalchemy.dialects.postgresql import CIDR, INET, INT4RANGE, INT8RANGE, NUMRANGE
from sqlalchemy.types import TypeEngine

from app.kit.db.base import Base
from app.kit.errors.problems import MAX_ERRORS, FieldProblem

_RANGES: dict[type[Any], TypeEngine[Any]] = {
    INT4RANGE: Integer(),
    INT8RANGE: BigInteger(),
    NUMRANGE: Numeric(),
}
# REAL: precision in bits, largest and smallest number.
_REAL_BITS, _REAL_MAX, _REAL_MIN = 24, 3.4028235677973366e38, 7.006e-46
# NUMERIC: digits before and after the decimal point.
_MOST_DIGITS, _MOST_DECIMALS = 131_072, 16_383
_MAX_OFFSET = timedelta(hours=16)

Columns = dict[str, list[TypeEngine[Any]]]


def out_of_range_fields(request: dict[str, Any], statement: str | None) -> list[FieldProblem]:
    """Return the fields that do not fit the column of the same name in a table of the statement.

    `request` maps `body`, `query` and `path` to their values.
    """
    columns = _columns_of(statement)
    paths = (_misfits(value, columns, place) for place, value in request.items())
    return [
        FieldProblem(field=path, message="is too long, out of range or invalid")
        for path in islice(chain.from_iterable(paths), MAX_ERRORS)
    ]


def _columns_of(statement: str | None) -> Columns:
    # Without a statement, return the columns of all tables.
    words = statement and set(re.findall(r"\w+", statement))
    found: Columns = {}
    for mapper in Base.registry.mappers:
        for name, column in mapper.columns.items():
            if not words or getattr(column.table, "name", None) in words:
                found.setdefault(name, []).append(column.type)
    return found


def _misfits(value: Any, columns: Columns, path: str) -> Iterator[str]:
    match value:
        case dict():
            for key, item in cast("dict[str, Any]", value).items():
                if key not in columns:
                    yield from _misfits(item, columns, f"{path}.{key}")
                elif not all(_fits(kind, item) for kind in columns[key]):
                    yield f"{path}.{key}"
        case list():
            for index, item in enumerate(cast("Sequence[Any]", value)):
                yield from _misfits(item, columns, f"{path}.{index}")
        case _:
            pass


def _fits(kind: TypeEngine[Any], value: Any) -> bool:
    if isinstance(kind, ARRAY):
        items = cast("Sequence[Any]", value) if isinstance(value, list) else ()
        item_type: TypeEngine[Any] = cast("Any", kind).item_type
        return all(_fits(item_type, item) for item in items)
    if type(kind) in _RANGES and isinstance(value, dict):
        bounds = cast("dict[str, Any]", value).values()
        return all(_fits(_RANGES[type(kind)], bound) for bound in bounds)
    if value is None or isinstance(value, bool | dict | list) or isinstance(kind, JSON | Enum):
        return True
    check = next((check for types, check in _CHECKS if isinstance(kind, types)), None)
    try:
        return check is None or check(kind, str(value))
    except (ArithmeticError, ValueError):
        return False


def _integer_fits(kind: Any, text: str) -> bool:
    bits = 16 if isinstance(kind, SmallInteger) else 64 if isinstance(kind, BigInteger) else 32
    beyond = 1 << (bits - 1)
    return -beyond <= Decimal(text) < beyond


def _float_fits(kind: Any, text: str) -> bool:
    size = abs(float(text))
    bits: int = _REAL_BITS if isinstance(kind, REAL) else kind.precision or 53
    return bits > _REAL_BITS or not size or _REAL_MIN <= size < _REAL_MAX


def _decimal_fits(kind: Any, text: str) -> bool:
    number = Decimal(text)
    if not number.is_finite():
        return False
    whole = _MOST_DIGITS if kind.precision is None else kind.precision - (kind.scale or 0)
    # PostgreSQL rounds first: 99.995 does not fit NUMERIC(4, 2).
    rounded = number if kind.scale is None else abs(number) + Decimal(5).scaleb(-kind.scale - 1)
    exponent = number.as_tuple().exponent
    return rounded.adjusted() < whole and isinstance(exponent, int) and exponent >= -_MOST_DECIMALS


def _text_fits(kind: Any, text: str) -> bool:
    return kind.length is None or len(text.rstrip(" ")) <= int(kind.length)


def _datetime_fits(kind: Any, text: str) -> bool:
    moment = datetime.fromisoformat(text)
    if kind.timezone:
        moment.astimezone(UTC)
    return bool(kind.timezone) == (moment.tzinfo is not None)


def _time_fits(kind: Any, text: str) -> bool:
    offset = time.fromisoformat(text).utcoffset()
    if kind.timezone:
        return offset is not None and abs(offset) < _MAX_OFFSET
    return offset is None


def _address_fits(_kind: Any, text: str) -> bool:
    # PostgreSQL cannot store a scope id.
    return "%" not in text


_CHECKS: list[tuple[type[Any] | tuple[type[Any], ...], Callable[[Any, str], bool]]] = [
    (Integer, _integer_fits),
    (Float, _float_fits),
    (Numeric, _decimal_fits),
    (String, _text_fits),
    (DateTime, _datetime_fits),
    (Time, _time_fits),
    ((INET, CIDR), _address_fits),
]
