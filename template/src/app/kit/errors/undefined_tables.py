"""Errors about tables and columns that do not exist in the database."""

import re

from sqlalchemy.exc import StatementError

from app.kit.db.base import Base
from app.kit.errors.database_errors import driver_error

# SQLSTATE: undefined table, column, object (such as a type), function, schema.
_UNDEFINED = {"42P01", "42703", "42704", "42883", "3F000"}
_TABLE = re.compile(r'relation "(?:\w+\.)?(\w+)" does not exist')
_COLUMN = re.compile(r'column "?(?:\w+\.)?(\w+)"?(?: of relation "\w+")? does not exist')


def is_undefined_object(error: StatementError) -> bool:
    """Return whether a table, column, type, function or schema does not exist."""
    return getattr(driver_error(error), "sqlstate", None) in _UNDEFINED


def missing_migration(error: StatementError, program: str) -> str | None:
    """Return a message if a table or column of the models does not exist; otherwise None.

    The message assumes that no migration is pending.
    """
    message = str(driver_error(error))
    tables = Base.metadata.tables.values()
    # Search for a column first: the message about a column may contain its table.
    if found := _COLUMN.search(message):
        words = set(re.findall(r"\w+", error.statement or ""))
        columns = (
            f"Column {each.name}.{column.name}"
            for each in tables
            for column in each.columns
            if each.name in words and column.name == found[1]
        )
        missing = next(columns, None)
    elif found := _TABLE.search(message):
        missing = next((f"Table {each.name}" for each in tables if each.name == found[1]), None)
    else:
        missing = None
    return missing and (
        f"{missing} does not exist, and no migration is pending. Write the migration with "
        f'`{program} revision -m "…"`, and apply it with `{program} migrate`.'
    )
