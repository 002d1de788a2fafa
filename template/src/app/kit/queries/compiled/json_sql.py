"""SQL expressions that serialize rows and related rows to JSON in PostgreSQL.

A Pydantic schema parses this JSON without loss. Datetimes are in UTC. Decimals, NaN and infinite
floats are strings.
"""

import json
from typing import Any, TypeAlias

from pydantic_core import from_json
from sqlalchemy import (
    ARRAY,
    JSON,
    Boolean,
    ColumnElement,
    Date,
    DateTime,
    Enum,
    Float,
    Integer,
    Numeric,
    Select,
    String,
    Text,
    Uuid,
    any_,
    case,
    cast,
    func,
    literal,
    literal_column,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import DOMAIN
from sqlalchemy.types import NullType

# A SELECT of any number of columns.
AnySelect: TypeAlias = Select[*tuple[Any, ...]]

# Types of array items, and types of columns, whose JSON a schema parses without loss.
_ARRAY_ITEM_TYPES = (Boolean, Date, Enum, Float, Integer, String, Uuid)
_COLUMN_TYPES = (*_ARRAY_ITEM_TYPES, JSON, Numeric)

# Prefix of settings that do not exist. Reading one raises an error that contains its name.
SETTING = "unreadable."
# Literals in the SQL text. Parameters would be sent with each execution.
_UTC = literal_column("'UTC'", Text)
_FORMAT = literal_column("""'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'""", Text)
_MINUS_INFINITY, _INFINITY = literal_column("'-infinity'", Text), literal_column("'infinity'", Text)
_MIN_DATE, _MAX_DATE = literal_column("'0001-01-01Z'", Text), literal_column("'9999-12-31Z'", Text)
_MAX_DATETIME = literal_column("'9999-12-31 23:59:59.999999Z'", Text)


def json_object(statement: AnySelect) -> ColumnElement[Any]:
    """Return a scalar subquery: the only row of a statement as a JSON object, or null."""
    return select(_row_as_json(statement)).scalar_subquery()


def json_list(statement: AnySelect) -> ColumnElement[Any]:
    """Return a scalar subquery: the rows of a statement, in order, as a JSON array."""
    rows = func.array_to_json(func.array_agg(_row_as_json(statement)))
    return select(func.coalesce(rows, literal_column("'[]'"), type_=JSON)).scalar_subquery()


def parse_json(text: str) -> Any:
    """Return the value of a JSON column."""
    # `from_json` is twice as fast, but rejects deep nesting and lone surrogates.
    try:
        return from_json(text)
    except ValueError:
        return json.loads(text)


def _row_as_json(statement: AnySelect) -> ColumnElement[Any]:
    rows = statement.subquery()
    values = select(*(_json_value(column) for column in rows.c)).subquery()
    return func.row_to_json(values.table_valued(), type_=JSON)


def _json_value(column: ColumnElement[Any]) -> ColumnElement[Any]:
    match base_type(column.type):
        case DateTime():
            in_utc = func.timezone(_UTC, _in_calendar(column, _MAX_DATETIME))
            return func.to_char(in_utc, _FORMAT, type_=Text).label(column.key)
        case Date():
            return _in_calendar(column, _MAX_DATE).label(column.key)
        case ARRAY(item_type=Date()):
            return _all_in_calendar(column).label(column.key)
        case Numeric():
            return cast(column, Text).label(column.key)
        case _:
            return column


def base_type(column_type: Any) -> Any:
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
    dates = func.array_replace(column, cast(_MINUS_INFINITY, Date), cast(_MIN_DATE, Date))
    dates = func.array_replace(
        dates, cast(_INFINITY, Date), cast(_MAX_DATE, Date), type_=column.type
    )
    # The comparison ignores items that are NULL.
    is_outside = or_(cast(_MIN_DATE, Date) > any_(dates), cast(_MAX_DATE, Date) < any_(dates))
    return case((is_outside, _raise_error(column)), else_=dates)


def setting_for(column: str) -> str:
    """Return a name for `current_setting` that makes PostgreSQL raise an error for this column."""
    return SETTING + column


def _raise_error(column: ColumnElement[Any]) -> ColumnElement[Any]:
    setting = literal(setting_for(str(column.key)), Text, literal_execute=True)
    return cast(func.current_setting(setting), column.type)


def check_json(column: ColumnElement[Any], where: str) -> None:
    """Raise TypeError if a schema cannot read a column as JSON. `where` starts the message."""
    match base_type(column.type):
        case ARRAY(item_type=value_type):
            is_supported = isinstance(value_type, _ARRAY_ITEM_TYPES)
        case DateTime(timezone=has_timezone) as value_type:
            is_supported = has_timezone
        case value_type:
            is_supported = isinstance(value_type, _COLUMN_TYPES)
    if isinstance(value_type, NullType):
        raise TypeError(f"{where}: the expression has no type: set it with `type_coerce`.")
    if not is_supported:
        raise TypeError(
            f"{where}: {column.type!r} cannot be read from the JSON of a relationship:"
            " remove the field, or select a column_property that casts it."
        )
    if (
        isinstance(value_type, Enum)
        and value_type.enum_class
        and value_type.enums != [member.value for member in value_type.enum_class]
    ):
        raise TypeError(
            f"{where}: the column stores the names of the enum members, but a schema reads their"
            " values: use `value_enum`."
        )
