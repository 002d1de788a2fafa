"""Keeping the values of rows out of exceptions, and so out of logs."""

import re

from asyncpg import PostgresError
from sqlalchemy import ExceptionContext

# Data exceptions: `invalid input syntax for type date: "tomorow"`.
_QUOTES_A_VALUE = "22"
_KEY = re.compile(r"\)=\((.*)\)", re.DOTALL)
# The attribute of an error that keeps the rejected value.
REJECTED_KEY = "rejected_key"
_BEFORE_THE_VALUE = re.compile(r'[^:"]*')


def key_in(error: object) -> str | None:
    """Return the value that violates a unique or foreign key, as PostgreSQL writes it."""
    kept: str | None = getattr(error, REJECTED_KEY, None)
    found = _KEY.search(getattr(error, "detail", None) or "")
    return found[1] if found else kept


def hide_values(context: ExceptionContext) -> None:
    """Take from an error of the database what it quotes from a row or a parameter."""
    redact(context.original_exception, context.sqlalchemy_exception)


def redact(original: BaseException, wrapped: BaseException | None) -> None:
    """Take from an error of the driver, and from the one around it, what they quote of values.

    `hide_parameters` is about SQLAlchemy's own text; PostgreSQL and the driver quote as well.
    """
    error = original.__cause__
    if not isinstance(error, PostgresError):
        return
    # It tells the row: `Key (email)=(ada@example.org) already exists.`
    # To compare it with the request; no log shows it.
    vars(error)[REJECTED_KEY] = key_in(error)
    error.detail = None
    if (error.sqlstate or "").startswith(_QUOTES_A_VALUE):
        message = str(error.args[0])
        found = _BEFORE_THE_VALUE.match(message)
        said = found[0].rstrip() if found else ""
        for part in (error, original, wrapped):
            if part is not None and part.args:
                part.args = (str(part.args[0]).replace(message, said), *part.args[1:])
        # What the driver stumbled over, which repeats the value.
        error.__cause__ = None
        error.__suppress_context__ = True
