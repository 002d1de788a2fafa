"""SQL expressions that serialize rows and related rows to JSON in PostgreSQL.

The JSON is the same, byte for byte, as the JSON of a Pydantic model with the same fields: compact,
datetimes in UTC, decimals as strings. NaN and infinite floats are null, as in Pydantic. With
`nan_as_null=False` they are strings ("NaN"), which Pydantic can parse.
"""

from typing import Any, TypeAlias

from sqlalchemy import (
    ARRAY,
    JSON,
    ColumnElement,
    Date,
    DateTime,
    Float,
    Numeric,
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
)

from app.kit.db.unreadable import setting_for

# A SELECT of any number of columns.
AnySelect: TypeAlias = Select[*tuple[Any, ...]]

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


def _error(column: ColumnElement[Any]) -> ColumnElement[Any]:
    setting = literal(setting_for(str(column.key)), Text, literal_execute=True)
    return cast(func.current_setting(setting), column.type)


def _time(column: ColumnElement[Any]) -> ColumnElement[str]:
    written = func.to_char(func.timezone(_UTC, column), _FORM)
    # Like Pydantic, omit the fraction of whole seconds.
    return func.replace(written, _NO_FRACTION, _ZONE, type_=Text)
