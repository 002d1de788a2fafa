"""SQL expressions that serialize rows and related rows to JSON in PostgreSQL.

The JSON is the same, byte for byte, as the JSON of a Pydantic model with the same fields: compact,
datetimes in UTC, decimals as strings. NaN and infinite floats are null, as in Pydantic. With
`nan_as_null=False` they are strings ("NaN"), which Pydantic can parse.
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
from sqlalchemy.types import NullType

# A SELECT of any number of columns.
AnySelect: TypeAlias = Select[*tuple[Any, ...]]

# Types whose JSON a schema parses without loss.
_IN_LISTS = (Boolean, Date, Enum, Float, Integer, String, Uuid)
_IN_JSON = (*_IN_LISTS, JSON, Numeric)

# A setting that does not exist. Reading it raises an error that contains the name of a column.
SETTING = "unreadable."
# Literals in the SQL text. Parameters would be sent with each execution.
_UTC = literal_column("'UTC'", Text)
_FORM = literal_column("""'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'""", Text)
_NO_FRACTION, _ZONE = literal_column("'.000000Z'", Text), literal_column("'Z'", Text)
_BEFORE_ALL, _AFTER_ALL = literal_column("'-infinity'", Text), literal_column("'infinity'", Text)
_FIRST, _LAST = literal_column("'0001-01-01Z'", Text), literal_column("'9999-12-31Z'", Text)
_LAST_MOMENT = literal_column("'9999-12-31 23:59:59.999999Z'", Text)

_NOT_FINITE = [
    literal_column("'NaN'::float8", Float),
    literal_column("'Infinity'::float8", Float),
    literal_column("'-Infinity'::float8", Float),
]


def json_object(statement: AnySelect, *, nan_as_null: bool = True) -> ColumnElement[Any]:
    """Return a scalar subquery: the only row of a statement as a JSON object, or null."""
    return select(_object_of(statement, nan_as_null)).scalar_subquery()


def json_list(statement: AnySelect, *, nan_as_null: bool = True) -> ColumnElement[Any]:
    """Return a scalar subquery: the rows of a statement, in order, as a JSON array."""
    rows = func.array_to_json(func.array_agg(_object_of(statement, nan_as_null)))
    return select(func.coalesce(rows, literal_column("'[]'"), type_=JSON)).scalar_subquery()


def parse_json(text: str) -> Any:
    """Return the value of a JSON column."""
    # `from_json` is twice as fast, but rejects deep nesting and lone surrogates.
    try:
        return from_json(text)
    except ValueError:
        return json.loads(text)


def _object_of(statement: AnySelect, nan_as_null: bool) -> ColumnElement[Any]:
    rows = statement.subquery()
    written = select(*(_written(column, nan_as_null) for column in rows.c)).subquery()
    return func.row_to_json(written.table_valued(), type_=JSON)


def _written(column: ColumnElement[Any], nan_as_null: bool) -> ColumnElement[Any]:
    match column.type:
        case DateTime():
            return _time(_within(column, _LAST_MOMENT)).label(column.key)
        case Date():
            return _within(column, _LAST).label(column.key)
        case ARRAY(item_type=Date()):
            return _all_within(column).label(column.key)
        case Float() if nan_as_null:
            return case((column.in_(_NOT_FINITE), None), else_=column).label(column.key)
        case Numeric():
            return cast(column, Text).label(column.key)
        case _:
            return column


def _within(column: ColumnElement[Any], last: ColumnElement[Any]) -> ColumnElement[Any]:
    # Infinity becomes the first or last value of Python's calendar, as in asyncpg. Other values
    # outside the calendar raise an error, because Pydantic cannot parse them.
    return case(
        (column.between(_FIRST, last), column),
        (column == _BEFORE_ALL, _FIRST),
        (column == _AFTER_ALL, last),
        (column.is_not(None), _error(column)),
    )


def _all_within(column: ColumnElement[Any]) -> ColumnElement[Any]:
    dates = func.array_replace(column, cast(_BEFORE_ALL, Date), cast(_FIRST, Date))
    dates = func.array_replace(dates, cast(_AFTER_ALL, Date), cast(_LAST, Date), type_=column.type)
    # The comparison ignores items that are NULL.
    beyond = or_(cast(_FIRST, Date) > any_(dates), cast(_LAST, Date) < any_(dates))
    return case((beyond, _error(column)), else_=dates)


def setting_for(column: str) -> str:
    """Return a name for `current_setting` that makes PostgreSQL raise an error for this column."""
    return SETTING + column


def _error(column: ColumnElement[Any]) -> ColumnElement[Any]:
    setting = literal(setting_for(str(column.key)), Text, literal_execute=True)
    return cast(func.current_setting(setting), column.type)


def _time(column: ColumnElement[Any]) -> ColumnElement[str]:
    written = func.to_char(func.timezone(_UTC, column), _FORM)
    # Like Pydantic, omit the fraction of whole seconds.
    return func.replace(written, _NO_FRACTION, _ZONE, type_=Text)


def check_json(column: ColumnElement[Any], where: str) -> None:
    """Raise TypeError if a schema cannot read a column as JSON. `where` starts the message."""
    match column.type:
        case ARRAY(item_type=kind):
            suits = isinstance(kind, _IN_LISTS)
        case DateTime(timezone=zone) as kind:
            suits = zone
        case kind:
            suits = isinstance(kind, _IN_JSON)
    if isinstance(kind, NullType):
        raise TypeError(f"{where}: the expression has no type: set it with `type_coerce`.")
    if not suits:
        raise TypeError(
            f"{where}: {column.type!r} cannot be read from the JSON of a relationship:"
            " remove the field, or select a column_property that casts it."
        )
    if isinstance(kind, Enum) and kind.enum_class and kind.enums != _values(kind.enum_class):
        raise TypeError(
            f"{where}: the column stores the names of the enum members, but a schema reads their"
            " values: use `value_enum`."
        )


def _values(members: Any) -> list[Any]:
    return [member.value for member in members]
