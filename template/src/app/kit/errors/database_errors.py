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

from app.kit.db.base import Base, attribute_name
from app.kit.db.connections.asyncpg_types import TimeZoneMismatch, UnreadableValue
from app.kit.errors.problems import Conflict, FieldProblem, Forbidden, Invalid, Problem, Unavailable
from app.kit.migrations.autogenerate.model_checks import stored_name
from app.kit.queries.compiled.json_sql import SETTING

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
_ARGUMENT = re.compile(r"query argument \$(\d+)")  # the driver cannot encode a parameter
# The context of an error in the text of a parameter: `unnamed portal parameter $1 = '...'`.
_PARAMETER = re.compile(r'(?:\w+ |"\w+" )+\$(\d+)')
_UPSERTED = re.compile(r"ON CONFLICT \(([^)]*)\)")
_INSERTED = re.compile(r"INSERT INTO [^(]+\(([^)]*)\) VALUES")
_TABLE = re.compile(r'relation "(?:\w+\.)?(\w+)" does not exist')
_COLUMN = re.compile(r'column "?(?:\w+\.)?(\w+)"?(?: of relation "\w+")? does not exist')
# For a value that JSON cannot represent, statements read a setting that is named after the column.
_UNREADABLE = re.compile(rf'"{re.escape(SETTING)}(.*)"')
REQUIRED = "is required"
# Violated constraints, by SQLSTATE.
_VIOLATIONS: dict[str, tuple[type[Problem], str]] = {
    "23505": (Conflict, "already exists"),
    "23P01": (Conflict, "conflicts with an existing row"),  # an exclusion constraint
    "23503": (Conflict, "does not exist or is still referenced"),
    "23001": (Conflict, "does not exist or is still referenced"),  # RESTRICT, PostgreSQL 18
    "23514": (Invalid, "is not allowed"),
    "23502": (Invalid, REQUIRED),
}
# PostgreSQL's function that checks row-level security. 42501 also means a missing privilege.
_POLICY_CHECK = "ExecWithCheckOptions"
_ROLLED_BACK = "The transaction was rolled back. Try again in a moment."


def problem_from_db_error(error: StatementError) -> Problem | None:
    """Return the problem to respond with, or None if the error is a bug in the service."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return Unavailable(f"The connection to the database was lost. {_ROLLED_BACK}")
    if is_stale(error):
        return Unavailable(f"The database schema has changed. {_ROLLED_BACK}")
    driver, code = driver_error(error), sqlstate(error)
    # InternalClientError: the connection dropped, and the driver did not notice.
    if code.startswith(_UNAVAILABLE) or isinstance(driver, asyncpg.InternalClientError):
        return Unavailable(f"The database is unavailable or overloaded. {_ROLLED_BACK}")
    if code == "42704" and (found := _UNREADABLE.search(str(driver))):
        return UnreadableValue([found[1]])
    if code in _VIOLATIONS:
        return _problem(*_VIOLATIONS[code], _constraint_columns(driver) or _required_column(driver))
    # Several rows of an INSERT … ON CONFLICT are the same row.
    if code == "21000" and (by := _UPSERTED.search(error.statement or "")):
        return _problem(Invalid, "must be unique in the request", _attributes(error, _names(by[1])))
    if code == "42501" and getattr(driver, "server_source_function", None) == _POLICY_CHECK:
        return Forbidden("You are not allowed to store this row.")
    if isinstance(driver, TimeZoneMismatch):
        return Invalid(str(driver))
    if is_data_error(error):
        # PostgreSQL cannot convert a character to the encoding of the database, or to text.
        lacks = "has a character that the database cannot store"
        message = lacks if code in {"22P05", "22021"} else "is too long, out of range or invalid"
        return _problem(Invalid, message, _attributes(error, _rejected_column(error)))
    return None


def is_data_error(error: StatementError) -> bool:
    """Return whether the database or the driver rejected a value."""
    code = sqlstate(error)
    if code == "42601":  # also used for SQL; only then is no parameter named
        return _rejected_parameter(error) > 0
    # 22012: a division by zero is a bug in the service.
    return code.startswith("22") and code != "22012"


def _rejected_parameter(error: StatementError) -> int:
    """Return the number of the parameter that an error names, or 0 if it names none."""
    context = getattr(driver_error(error), "context", None) or ""
    found = _ARGUMENT.search(str(error.orig)) or _PARAMETER.match(context)
    return int(found[1]) if found else 0


def _rejected_column(error: StatementError) -> list[str]:
    """Return the column of the rejected parameter, or [] if it is unknown."""
    sql, number = error.statement or "", _rejected_parameter(error)
    if number and (inserted := _INSERTED.search(sql)):
        before, nested = re.split(rf"\${number}\b", sql[inserted.end() :])[0], 1
        while nested:  # removes earlier rows, and the arguments of functions
            before, nested = re.subn(r"\([^()]*\)", "", before)
        if "(" in before:
            index = before.split("(")[1].count(",")
            return _names(inserted[1])[index : index + 1]
    return re.findall(rf'"?(\w+)"? *(?:=|<>|[<>]=?) *\${number}\b', sql)[:1]


def _names(columns: str) -> list[str]:
    return [name.strip(' "') for name in columns.split(",")]


def _attributes(error: StatementError, columns: list[str]) -> list[str]:
    """Return the attribute names of these columns, in the first table that has them."""
    tables = _statement_tables(error)
    return [
        next((_attribute(table, table.c[name]) for table in tables if name in table.c), name)
        for name in columns
    ]


def _statement_tables(error: StatementError) -> list[Table]:
    words = set(re.findall(r"\w+", error.statement or ""))
    return [table for table in Base.metadata.tables.values() if table.name in words]


def driver_error(error: StatementError) -> BaseException | None:
    """Return the driver's exception or None. SQLAlchemy's `driver_exception` may raise instead."""
    if isinstance(error.orig, EmulatedDBAPIException):
        # For an invalid cached statement, SQLAlchemy sets only the cause.
        return error.orig.orig or error.orig.__cause__
    return error.orig


def sqlstate(error: StatementError) -> str:
    """Return the SQLSTATE of an error of PostgreSQL, otherwise an empty string."""
    return str(getattr(driver_error(error), "sqlstate", None) or "")


def is_stale(error: StatementError) -> bool:
    """Return whether a prepared statement failed because the schema changed. A retry succeeds."""
    driver = driver_error(error)
    if isinstance(driver, asyncpg.InternalServerError):
        # A migration dropped the type of a parameter. PostgreSQL does not translate this error.
        return str(driver).startswith("cache lookup failed for type")
    return isinstance(driver, _STALE)


def is_server_error(error: DBAPIError) -> bool:
    """Return whether the server reported an error, which rolls the transaction back.

    Otherwise the connection dropped, and the outcome of the transaction is unknown.
    """
    driver = driver_error(error)
    # PgBouncer sends `severity` only. After FATAL the connection closes: the outcome is unknown.
    severity = getattr(driver, "severity_en", None) or getattr(driver, "severity", None)
    return severity == "ERROR" and not error.connection_invalidated


def is_undefined_object(error: StatementError) -> bool:
    """Return whether a table, column, type, function or schema does not exist."""
    return sqlstate(error) in {"42P01", "42703", "42704", "42883", "3F000"}


def missing_migration(error: StatementError, program: str) -> str | None:
    """Return a message if no migration creates a table or column of the models; otherwise None."""
    message, missing = str(driver_error(error)), list[str]()
    # Search for a column first: the message about a column may contain its table.
    if found := _COLUMN.search(message):
        tables = (table for table in _statement_tables(error) if found[1] in table.c)
        missing = [f"Column {table.name}.{found[1]}" for table in tables]
    elif found := _TABLE.search(message):
        tables = (table for table in Base.metadata.tables.values() if table.name == found[1])
        missing = [f"Table {table.name}" for table in tables]
    if not missing:
        return None
    return (
        f"{missing[0]} does not exist, and no migration is pending. Write the migration with "
        f'`{program} revision -m "…"`, and apply it with `{program} migrate`.'
    )


def _problem(kind: type[Problem], message: str, columns: list[str]) -> Problem:
    match columns:
        case []:
            return kind(f"A value {message}.")
        case [column]:
            return kind(f"{column} {message}.", FieldProblem(field=column, message=message))
        case _:  # Each value alone may be valid.
            text = f"combination of {' and '.join(columns)} {message}"
            return kind(f"The {text}.", FieldProblem(field="body", message=f"the {text}"))


def _constraint_columns(error: Any) -> list[str]:
    """Return the columns of the constraint or unique index that an error names."""
    constraint = getattr(error, "constraint_name", None)
    for table in _tables(error):
        named: list[Constraint | Index] = [*table.constraints, *table.indexes]
        for item in named:
            if constraint and stored_name(item) == constraint:
                return _columns_of_constraint(table, item)
    return []


def _tables(error: Any) -> list[Table]:
    """Return all tables, best match first: constraints of several tables may share a name."""
    name, schema = getattr(error, "table_name", None), getattr(error, "schema_name", None)
    return sorted(
        Base.metadata.tables.values(),
        key=lambda table: (table.name != name, table.schema != schema, table.schema is not None),
    )


def _columns_of_constraint(table: Table, item: Constraint | Index) -> list[str]:
    columns = list(item.columns) if isinstance(item, ColumnCollectionConstraint | Index) else []
    if not columns:
        # A constraint that is written as text has no columns: search it for their names.
        expressions = [item.sqltext] if isinstance(item, CheckConstraint) else []
        expressions += item.expressions if isinstance(item, Index) else []
        words = {word for each in expressions for word in re.findall(r"\w+", str(each))}
        columns = [column for column in table.columns if column.name in words]
    return [_attribute(table, column) for column in columns]


def _required_column(error: Any) -> list[str]:
    """Return the column that the error names (NOT NULL violations)."""
    name: str = getattr(error, "column_name", None) or ""
    table_name = getattr(error, "table_name", None)
    tables = [each for each in _tables(error)[:1] if each.name == table_name and name in each.c]
    return [_attribute(each, each.c[name]) for each in tables] or [name] if name else []


def _attribute(table: Table, column: Any) -> str:
    """Return the attribute name of a column, which is the name that clients use."""
    for mapper in Base.registry.mappers:
        if table in mapper.tables:
            with suppress(UnmappedColumnError):
                return attribute_name(mapper, column)
    return str(column.name)
