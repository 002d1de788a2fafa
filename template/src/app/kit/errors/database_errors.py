"""Convert database errors to problems, by SQLSTATE and constraint name.

SQLSTATE codes: https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

import re
from contextlib import suppress
from typing import Any

import asyncpg
from sqlalchemy import CheckConstraint, Constraint, Index, Table
from sqlalchemy.exc import DBAPIError, EmulatedDBAPIException, StatementError
from sqlalchemy.orm.exc import UnmappedColumnError
from sqlalchemy.schema import ColumnCollectionConstraint

from app.kit.db.attributes import attribute_name
from app.kit.db.base import Base
from app.kit.db.types.datetimes import TimeZoneMismatch
from app.kit.errors.problems import Conflict, FieldProblem, Invalid, Problem, Unavailable
from app.kit.errors.redaction import violating_key
from app.kit.errors.unreadable_values import UnreadableValue, column_reported
from app.kit.migrations.autogenerate.model_checks import stored_name

_HAS_COLUMNS = (ColumnCollectionConstraint, Index)
_UNAVAILABLE = (
    "08",  # the connection failed
    "28",  # the server rejects the credentials
    "3D",  # the database does not exist
    "40001",  # serialization failure
    "40P01",  # deadlock
    "53",  # out of connections, memory or disk
    "55P03",  # lock timeout
    "57P",  # the server is starting or stopping, or an administrator ended the session
    "57014",  # statement timeout
)
# A migration changed the parameters or columns of a statement after it was prepared.
_STALE = (asyncpg.InvalidCachedStatementError, asyncpg.OutdatedSchemaCacheError)
# A migration dropped the type of a parameter. PostgreSQL does not translate internal errors.
_TYPE_DROPPED = "cache lookup failed for type"
# The driver cannot encode a parameter.
_ARGUMENT = re.compile(r"query argument \$(\d+)")
_UPSERTED = re.compile(r"ON CONFLICT \(([^)]*)\)")
_INSERTED = re.compile(r"INSERT INTO [^(]+\(([^)]*)\) VALUES")
REQUIRED = "is required"
# Part of the detail of these errors, because the transaction was not committed.
_NOTHING_STORED = "Nothing was stored. Try again in a moment."


def problem_from_db_error(error: StatementError) -> Problem | None:
    """Return the problem to respond with, or None if the error is a bug in the service."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return Unavailable(f"The connection to the database was lost. {_NOTHING_STORED}")
    if is_stale(error):
        return Unavailable(f"The database schema has changed. {_NOTHING_STORED}")
    driver = driver_error(error)
    code = getattr(driver, "sqlstate", None) or ""
    # InternalClientError: the connection dropped, and the driver did not notice.
    if code.startswith(_UNAVAILABLE) or isinstance(driver, asyncpg.InternalClientError):
        return Unavailable(f"The database is unavailable or overloaded. {_NOTHING_STORED}")
    if column := column_reported(driver):
        return UnreadableValue([column])
    columns = _columns_of(driver) or _column_in(driver)
    match code:
        case "23505" | "23P01":
            return Conflict(*_explain(columns, "already exists"))
        # 23001: ON DELETE RESTRICT, since PostgreSQL 18.
        case "23503" | "23001":
            return Conflict(*_explain(columns, "does not exist or is still referenced"))
        case "23514":
            return Invalid(*_explain(columns, "is not allowed"))
        case "23502":
            return Invalid(*_explain(columns, REQUIRED))
        case "21000" if by := _UPSERTED.search(error.statement or ""):
            columns = [name.strip(' "') for name in by[1].split(",")]
            return Invalid(*_explain(_attributes(error, columns), "must be unique in the request"))
        case _ if isinstance(driver, TimeZoneMismatch):
            return Invalid(str(driver))
        case _ if is_data_error(error):
            columns = _attributes(error, _argument(error))
            return Invalid(*_explain(columns, "is too long, out of range or invalid"))
        case _:
            return None


def is_data_error(error: StatementError) -> bool:
    """Return whether the database or the driver rejected a value."""
    code = getattr(driver_error(error), "sqlstate", None) or ""
    # 22012: a division by zero is a bug in the service.
    return code.startswith("22") and code != "22012"


def rejected_key(error: StatementError) -> str | None:
    """Return the value that violates a key of one column, in PostgreSQL's text format."""
    return violating_key(driver_error(error))


def _argument(error: StatementError) -> list[str]:
    """Return the column of the parameter that the driver rejected, or [] if it is unknown."""
    found = _ARGUMENT.search(str(error.orig))
    sql = error.statement or ""
    if found is None:
        return []
    number = int(found[1])
    if inserted := _INSERTED.match(sql):
        columns = [name.strip(' "') for name in inserted[1].split(",")]
        # Each row of the INSERT has a parameter for every column.
        return [columns[(number - 1) % len(columns)]]
    compared = re.search(rf'"?(\w+)"? *(?:=|<>|[<>]=?) *\${number}\b', sql)
    return [compared[1]] if compared else []


def _attributes(error: StatementError, columns: list[str]) -> list[str]:
    """Return the attribute names of these columns, in the tables that the statement names."""
    words = set(re.findall(r"\w+", error.statement or ""))
    tables = [table for table in Base.metadata.tables.values() if table.name in words]
    return [
        next((_attribute(table, table.c[name]) for table in tables if name in table.c), name)
        for name in columns
    ]


def driver_error(error: StatementError) -> BaseException | None:
    """Return the driver's exception, or None. Unlike `driver_exception`, this never raises."""
    if isinstance(error.orig, EmulatedDBAPIException):
        # For an invalid cached statement, SQLAlchemy sets only the cause.
        return error.orig.orig or error.orig.__cause__
    return error.orig


def is_stale(error: StatementError) -> bool:
    """Return whether a prepared statement failed because the schema changed. A retry succeeds."""
    driver = driver_error(error)
    if isinstance(driver, asyncpg.InternalServerError):
        return str(driver).startswith(_TYPE_DROPPED)
    return isinstance(driver, _STALE)


def is_server_error(error: DBAPIError) -> bool:
    """Return whether the server reported an error, which rolls the transaction back.

    Otherwise the connection dropped, and the outcome of the transaction is unknown.
    """
    driver = driver_error(error)
    # PgBouncer sends `severity` only. After FATAL the connection closes: the outcome is unknown.
    severity = getattr(driver, "severity_en", None) or getattr(driver, "severity", None)
    return severity == "ERROR" and not error.connection_invalidated


def _explain(columns: list[str], message: str) -> tuple[str, *tuple[FieldProblem, ...]]:
    match columns:
        case []:
            return (f"A value {message}.",)
        case [column]:
            return (f"{column} {message}.", FieldProblem(field=column, message=message))
        case _:
            # Each value alone may be valid.
            named = " and ".join(columns)
            together = f"the combination of {named} {message}"
            return (
                f"The combination of {named} {message}.",
                FieldProblem(field="body", message=together),
            )


def _columns_of(error: Any) -> list[str]:
    """Return the columns of the constraint or unique index that an error names."""
    constraint = getattr(error, "constraint_name", None)
    for table in _tables(error):
        named: list[Constraint | Index] = [*table.constraints, *table.indexes]
        for item in named:
            if constraint and stored_name(item) == constraint:
                return _columns(table, item)
    return []


def _tables(error: Any) -> list[Table]:
    """Return all tables, best match first: constraints of several tables may share a name."""
    name, schema = getattr(error, "table_name", None), getattr(error, "schema_name", None)
    return sorted(
        Base.metadata.tables.values(),
        key=lambda table: (table.name != name, table.schema != schema, table.schema is not None),
    )


def _columns(table: Table, item: Constraint | Index) -> list[str]:
    columns = list(item.columns) if isinstance(item, _HAS_COLUMNS) else []
    if not columns:
        # A constraint that is written as text has no columns: search it for their names.
        expressions = [item.sqltext] if isinstance(item, CheckConstraint) else []
        expressions += item.expressions if isinstance(item, Index) else []
        words = {word for each in expressions for word in re.findall(r"\w+", str(each))}
        columns = [column for column in table.columns if column.name in words]
    return [_attribute(table, column) for column in columns]


def _column_in(error: Any) -> list[str]:
    """Return the column that the error names (NOT NULL violations)."""
    name, table = getattr(error, "column_name", None), getattr(error, "table_name", None)
    if not name:
        return []
    for item in _tables(error)[:1]:
        if item.name == table:
            return [_attribute(item, column) for column in item.columns if column.name == name]
    return [name]


def _attribute(table: Table, column: Any) -> str:
    """Return the attribute name of a column, which is the name that clients use."""
    for mapper in Base.registry.mappers:
        if table in mapper.tables:
            with suppress(UnmappedColumnError):
                return attribute_name(mapper, column)
    return str(column.name)
