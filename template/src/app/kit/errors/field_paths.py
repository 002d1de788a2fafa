"""Find the request fields that a database error is about. Paths are those of a validation error.

PostgreSQL and asyncpg do not always name the column of a rejected value. Then the values of the
request are checked against the column types of the statement's tables.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from itertools import islice
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
from sqlalchemy.exc import StatementError
from sqlalchemy.types import TypeEngine
from starlette.requests import Request

from app.kit.db.base import Base
from app.kit.errors.database_errors import REQUIRED, driver_error, is_data_error
from app.kit.errors.problems import MAX_ERRORS, FieldProblem, Invalid, Problem
from app.kit.errors.redaction import violating_key

# More than the rows of a batch.
_MAX_PATHS = 2000
_BOUNDS: dict[type[Any], TypeEngine[Any]] = {
    INT4RANGE: Integer(),
    INT8RANGE: BigInteger(),
    NUMRANGE: Numeric(),
}
# REAL: precision in bits, largest and smallest number.
_REAL_BITS, _REAL_MAX, _REAL_MIN = 24, 3.4028235677973366e38, 7.006e-46
# NUMERIC: digits before and after the decimal point.
_MOST_DIGITS, _MOST_DECIMALS = 131_072, 16_383
# PostgreSQL accepts only smaller UTC offsets.
_MAX_OFFSET = timedelta(hours=16)

Path = tuple[str, ...]


def locate_errors(
    request: Request, problem: Problem, error: StatementError | None = None
) -> Problem:
    """Replace the column names in errors with the paths of the request's fields."""
    body = request.scope.get("app.body")
    if error and is_data_error(error):
        sent = {"body": body, "query": dict(request.query_params), "path": request.path_params}
        if fields := list(islice(_out_of_range(sent, error.statement), MAX_ERRORS)):
            return Invalid("A value does not fit its column.", *fields)
    value = violating_key(driver_error(error)) if error else None
    for each in problem.errors:
        name = each.field
        each.field = _request_path(request, body, name, value)
        if each.field == name and each.message == REQUIRED:
            # The field is missing in the request, so expect it in the body.
            each.field = f"body.{name}"
    return problem


def _request_path(request: Request, body: Any, name: str, value: str | None) -> str:
    if "." in name or is_part_of_request(body, name, value):
        return name
    if name in request.path_params and not (isinstance(body, dict) and name in body):
        return f"path.{name}"
    if name in request.query_params and body is None:
        return f"query.{name}"
    return field_path(body, name, value)


def field_path(body: Any, name: str, value: str | None = None) -> str:
    """Return the path of the field, or of the list if several items have the field.

    `value` is the rejected value as PostgreSQL prints it. It identifies the item of a list. If the
    body does not contain the field, return its name.
    """
    found = dict(islice(_named(body, name), _MAX_PATHS))
    if not found:
        return name
    # If items have the same value, the last one is the duplicate.
    paths = [path for path, sent in found.items() if str(sent) == value][-1:] or list(found)
    if (name,) in paths:
        return f"body.{name}"
    first, last = min(paths), max(paths)
    if first == last:
        return ".".join(("body", *first))
    common = next(
        i for i, (one, other) in enumerate(zip(first, last, strict=False)) if one != other
    )
    return ".".join(("body", *first[:common]))


def is_part_of_request(body: Any, name: str, value: str | None) -> bool:
    """Return whether an error names a part of the request, such as `body`, and not a field.

    A field may be named `body` too. Then the error has a value, and the request contains the field.
    """
    if name not in ("body", "query", "path", "header"):
        return False
    return value is None or not any(_named(body, name))


def _named(body: Any, name: str) -> Iterator[tuple[Path, Any]]:
    """Yield the fields of a body with this name. The alias `priceCents` equals `price_cents`."""

    def plain(text: str) -> str:
        return text.replace("_", "").lower()

    return _find(body, lambda key: plain(key) == plain(name))


def _find(
    value: Any, is_wanted: Callable[[str], bool], path: Path = ()
) -> Iterator[tuple[Path, Any]]:
    """Yield the path and value of each field whose name is wanted."""
    match value:
        case dict():
            items = cast("Iterable[tuple[Any, Any]]", value.items())
        case list():
            items = enumerate(cast("Sequence[Any]", value))
        case _:
            return
    for key, item in items:
        if isinstance(key, str) and is_wanted(key):
            yield (*path, key), item
        else:
            yield from _find(item, is_wanted, (*path, str(key)))


def _out_of_range(sent: dict[str, Any], statement: str | None) -> Iterator[FieldProblem]:
    """Yield the fields that do not fit the column of the same name in a table of the statement."""
    # Without a statement, compare with the columns of all tables.
    words = statement and set(re.findall(r"\w+", statement))
    types: dict[str, list[Any]] = {}
    for mapper in Base.registry.mappers:
        for name, column in mapper.columns.items():
            if not words or getattr(column.table, "name", None) in words:
                types.setdefault(name, []).append(column.type)
    for part, content in sent.items():
        for path, value in _find(content, types.__contains__, (part,)):
            if not all(_fits(kind, value) for kind in types[path[-1]]):
                message = "is too long, out of range or invalid"
                yield FieldProblem(field=".".join(path), message=message)


def _fits(kind: Any, value: Any) -> bool:
    """Return whether a column of this type can store a value of a request."""
    if isinstance(kind, ARRAY) and isinstance(value, list):
        item_type: Any = cast("Any", kind).item_type
        return all(_fits(item_type, item) for item in cast("Sequence[Any]", value))
    if isinstance(kind, INT4RANGE | INT8RANGE | NUMRANGE) and isinstance(value, dict):
        bounds = cast("dict[str, Any]", value).values()
        return all(_fits(_BOUNDS[type(kind)], bound) for bound in bounds)
    if value is None or isinstance(value, bool | dict | list) or isinstance(kind, JSON | Enum):
        return True
    try:
        return _text_fits(kind, str(value))
    except (ArithmeticError, ValueError):
        return False


def _text_fits(kind: Any, text: str) -> bool:
    match kind:
        case Integer():
            is_small, is_big = isinstance(kind, SmallInteger), isinstance(kind, BigInteger)
            beyond = 1 << (15 if is_small else 63 if is_big else 31)
            return -beyond <= Decimal(text) < beyond
        case Float():
            size = abs(float(text))
            bits: int = _REAL_BITS if isinstance(kind, REAL) else kind.precision or 53
            return bits > _REAL_BITS or not size or _REAL_MIN <= size < _REAL_MAX
        case Numeric():
            return _decimal_fits(Decimal(text), kind.precision, kind.scale)
        case String():
            return kind.length is None or len(text.rstrip(" ")) <= int(kind.length)
        case DateTime():
            moment = datetime.fromisoformat(text)
            if kind.timezone:
                moment.astimezone(UTC)
            return bool(kind.timezone) == (moment.tzinfo is not None)
        case Time():
            offset = time.fromisoformat(text).utcoffset()
            is_aware = offset is not None and abs(offset) < _MAX_OFFSET
            return is_aware if kind.timezone else offset is None
        case INET() | CIDR():
            # PostgreSQL cannot store a scope id.
            return "%" not in text
        case _:
            return True


def _decimal_fits(number: Decimal, precision: int | None, scale: int | None) -> bool:
    whole = _MOST_DIGITS if precision is None else precision - (scale or 0)
    # PostgreSQL rounds first: 99.995 does not fit NUMERIC(4, 2).
    rounded = number if scale is None else abs(number) + Decimal(5).scaleb(-scale - 1)
    exponent = number.as_tuple().exponent
    # The exponent of NaN and infinity is not an integer.
    return isinstance(exponent, int) and rounded.adjusted() < whole and exponent >= -_MOST_DECIMALS
