"""Remove the values of rows and parameters from exceptions, and so from logs."""

import re

from asyncpg import PostgresError
from sqlalchemy import ExceptionContext

# SQLSTATE class of data exceptions: `invalid input syntax for type date: "tomorow"`.
_QUOTES_A_VALUE = "22"
# Matches `(email)=(ada@example.org)`, but no key of several columns: `(a, b)=(1, 2)`.
_KEY = re.compile(r"\([^,]*\)=\((.*)\)", re.DOTALL)
# The attribute of an exception that stores the rejected value.
REJECTED_KEY = "rejected_key"
_BEFORE_THE_VALUE = re.compile(r'[^:"]*')


def violating_key(error: object) -> str | None:
    """Return the value that violates a key of one column, in PostgreSQL's text format."""
    kept: str | None = getattr(error, REJECTED_KEY, None)
    found = _KEY.search(getattr(error, "detail", None) or "")
    return found[1] if found else kept


def hide_values(context: ExceptionContext) -> None:
    """Remove values from a database error (`handle_error` of an engine)."""
    redact(context.original_exception, context.sqlalchemy_exception)


def redact(original: BaseException, wrapped: BaseException | None) -> None:
    """Remove values from a driver exception and from the SQLAlchemy exception that wraps it.

    `hide_parameters` covers only SQLAlchemy's own text. PostgreSQL and asyncpg quote values too.
    """
    error = original.__cause__
    if not isinstance(error, PostgresError):
        return
    # `detail` contains values: `Key (email)=(ada@example.org) already exists.`
    # Keep the value to find its field in the request. Logs do not print this attribute.
    vars(error)[REJECTED_KEY] = violating_key(error)
    error.detail = None
    if (error.sqlstate or "").startswith(_QUOTES_A_VALUE):
        message = str(error.args[0])
        found = _BEFORE_THE_VALUE.match(message)
        redacted = found[0].rstrip() if found else ""
        for part in (error, original, wrapped):
            if part is not None and part.args:
                part.args = (str(part.args[0]).replace(message, redacted), *part.args[1:])
        # The cause contains the value too.
        error.__cause__ = None
        error.__suppress_context__ = True
