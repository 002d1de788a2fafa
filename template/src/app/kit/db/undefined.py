"""Tables and columns that a statement names and the database lacks."""

import re

from sqlalchemy.exc import StatementError

from app.kit.db.base import Base
from app.kit.db.conflicts import driver_error

# A table, a column, another object such as a type, a function, a schema.
_UNDEFINED = {"42P01", "42703", "42704", "42883", "3F000"}
_TABLE = re.compile(r'relation "(?:\w+\.)?(\w+)" does not exist')
_COLUMN = re.compile(r'column "?(?:\w+\.)?(\w+)"?(?: of relation "\w+")? does not exist')


def is_undefined(error: StatementError) -> bool:
    """Whether the database lacks a table, a column or a type that the statement names."""
    return getattr(driver_error(error), "sqlstate", None) in _UNDEFINED


def missing_migration(error: StatementError, program: str) -> str | None:
    """Return the message about a table or a column of the models that the database lacks.

    For a database without pending migrations. Returns None for anything that no model has.
    """
    message = str(driver_error(error))
    tables = Base.metadata.tables.values()
    # PostgreSQL may name the relation of a column as well.
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
