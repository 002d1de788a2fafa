"""SQL expressions that serialize rows and related rows to JSON in PostgreSQL.

A Pydantic schema parses this JSON without loss. Datetimes are in UTC. Decimals, NaN and infinite
floats are strings.
"""

import json
from typing import Any

from pydantic_core import from_json
from sqlalchemy import (
    ColumnElement,
    Select,
    Text,
    any_,
    case,
    cast,
    func,
    literal,
    literal_column,
    or_,
    select,
    types,
)
from sqlalchemy.dialects.postgresql import DOMAIN

# Types of array items, and types of columns, whose JSON a schema parses without loss.
_TEXTS = (types.Date, types.Enum, types.String, types.Uuid)
_ARRAY_ITEM_TYPES = (*_TEXTS, types.Boolean, types.Float, types.Integer)
_COLUMN_TYPES = (*_ARRAY_ITEM_TYPES, types.JSON, types.Numeric)

# Prefix of settings that do not exist. Reading one raises an error that contains its name.
SETTING = "unreadable."
# Literals in the SQL text. Parameters would be sent with each execution.
_UTC = literal_column("'UTC'", Text)
_FORMAT = literal_column("""'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'""", Text)
_MINUS_INFINITY, _INFINITY = literal_column("'-infinity'", Text), literal_column("'infinity'", Text)
_MIN_DATE, _MAX_DATE = literal_column("'0001-01-01Z'", Text), literal_column("'9999-12-31Z'", Text)
_MAX_DATETIME = literal_column("'9999-12-31 23:59:59.999999Z'", Text)


def json_object(statement: Select[Any]) -> ColumnElement[Any]:
    """Return a scalar subquery: the only row of a statement as a JSON object, or null."""
    return select(_row_as_json(statement)).scalar_subquery()


def json_list(statement: Select[Any]) -> ColumnElement[Any]:
    """Return a scalar subquery: the rows of a statement, in order, as a JSON array."""
    rows = func.array_to_json(func.array_agg(_row_as_json(statement)))
    return select(func.coalesce(rows, literal_column("'[]'"), type_=types.JSON)).scalar_subquery()


def parse_json(text: str) -> Any:
    """Return the value of a JSON column."""
    # `from_json` is twice as fast, but rejects deep nesting and lone surrogates.
    try:
        return from_json(text)
    except ValueError:
        return json.loads(text)


def _row_as_json(statement: Select[Any]) -> ColumnElement[Any]:
    rows = statement.subquery()
    values = select(*(_json_value(column) for column in rows.c)).subquery()
    return func.row_to_json(values.table_valued(), type_=types.JSON)


def _json_value(column: ColumnElement[Any]) -> ColumnElement[Any]:
    match _base_type(column.type):
        case types.DateTime():
            in_utc = func.timezone(_UTC, _in_calendar(column, _MAX_DATETIME))
            return func.to_char(in_utc, _FORMAT, type_=Text).label(column.key)
        case types.Date():
            return _in_calendar(column, _MAX_DATE).label(column.key)
        case types.ARRAY(item_type=types.Date()):
            return _all_in_calendar(column).label(column.key)
        case types.Numeric():
            return cast(column, Text).label(column.key)
        case _:
            return column


def _base_type(column_type: Any) -> Any:
    """Return the type of a column's values: for a domain, the type that it restricts."""
    return column_type.data_type if isinstance(column_type, DOMAIN) else column_type


def _in_calendar(column: ColumnElement[Any], last: ColumnElement[Any]) -> ColumnElement[Any]:
    # Infinity becomes the first or last value of Python's calendar, as in asyncpg. Other values
    # outside the calendar raise an error, because Pydantic cannot parse them.
    return case(
        (column.between(_MIN_DATE, last), column),
        (column == _MINUS_INFINITY, _MIN_DATE),
        (column == _INFINITY, last),
        (column.is_not(None), _raise_error(column)),
    )


def _all_in_calendar(column: ColumnElement[Any]) -> ColumnElement[Any]:
    first, last = cast(_MIN_DATE, types.Date), cast(_MAX_DATE, types.Date)
    dates = func.array_replace(column, cast(_MINUS_INFINITY, types.Date), first)
    dates = func.array_replace(dates, cast(_INFINITY, types.Date), last, type_=column.type)
    # The comparison ignores items that are NULL.
    is_outside = or_(first > any_(dates), last < any_(dates))
    return case((is_outside, _raise_error(column)), else_=dates)


def _raise_error(column: ColumnElement[Any]) -> ColumnElement[Any]:
    setting = literal(f"{SETTING}{column.key}", Text, literal_execute=True)
    return cast(func.current_setting(setting), column.type)


def check_json(column: ColumnElement[Any], where: str) -> None:
    """Raise TypeError if a schema cannot read a column as JSON. `where` starts the message."""
    match _base_type(column.type):
        case types.ARRAY(item_type=value_type):
            is_supported = isinstance(value_type, _ARRAY_ITEM_TYPES)
        case types.DateTime(timezone=has_timezone) as value_type:
            is_supported = has_timezone
        case value_type:
            is_supported = isinstance(value_type, _COLUMN_TYPES)
    if isinstance(value_type, types.NullType):
        raise TypeError(f"{where}: the expression has no type: set it with `type_coerce`.")
    if not is_supported:
        raise TypeError(
            f"{where}: {column.type!r} cannot be read from the JSON of a relationship:"
            " remove the field, or select a column_property that casts it."
        )
    if (
        isinstance(value_type, types.Enum)
        and value_type.enum_class
        and value_type.enums != [member.value for member in value_type.enum_class]
    ):
        raise TypeError(
            f"{where}: the column stores the names of the enum members, but a schema reads their"
            " values: use `value_enum`."
        )
