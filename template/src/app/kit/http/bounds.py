"""Limits of the work that one validation may take, whatever the request holds."""

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from pydantic_core import PydanticCustomError, ValidationError

from app.kit.errors import MAX_ERRORS
from app.kit.http.json_values import has_more_values

# After this many unlisted errors, the rest of the data is not validated.
_MAX_COUNTED = 1000
# Characters of a text that is always parsed: dates, addresses and most numbers have fewer.
SHORT = 100
# Characters of all longer ones in a body. PostgreSQL's longest number has 147,455 digits.
MAX_PARSED = 200_000
# Values of all JSON documents that a body has as text.
MAX_EMBEDDED = 50_000


@dataclass(slots=True)
class Budget:
    """What is left of the limits of one validation, and how many errors it has."""

    kept: int = 0
    dropped: int = 0
    parsed: int = MAX_PARSED
    embedded: int = MAX_EMBEDDED


_budget: ContextVar[Budget] = ContextVar("budget")


def new_budget() -> Budget:
    """Begin a validation."""
    budget = Budget()
    _budget.set(budget)
    return budget


def within_parsed(value: Any) -> Any:
    """Return a value that is to be parsed. Raises PydanticCustomError for long texts."""
    # A date or an address is searched, and repeated in the error, for as long as it is.
    if isinstance(value, str) and (size := len(value)) > SHORT:
        budget = _budget.get()
        if size > budget.parsed:
            raise PydanticCustomError("text_too_long", "is too long to be parsed")
        budget.parsed -= size
    return value


def within_embedded(value: Any) -> Any:
    """Return a JSON text. Raises PydanticCustomError if it has too many values."""
    if isinstance(value, str) and len(value) > SHORT:
        budget = _budget.get()
        text = value.encode(errors="replace")
        if has_more_values(text, budget.embedded):
            raise PydanticCustomError("too_many_values", "has too many values")
        values = len(text) - len(text.translate(None, b",[{")) + 1
        budget.embedded = max(0, budget.embedded - values)
    return value


def within_errors(value: Any, handler: Any) -> Any:
    """Validate an item of a list or mapping, and count the errors beyond those that are listed."""
    budget = _budget.get()
    if budget.dropped >= _MAX_COUNTED:
        return value
    full, kept = budget.kept >= MAX_ERRORS, budget.kept
    try:
        return handler(value)
    except ValidationError as error:
        if full:
            budget.dropped += error.error_count()
            return value
        # Errors of the items within this one have been counted there.
        budget.kept += max(0, error.error_count() - (budget.kept - kept))
        raise
