"""Limits of the work that parsing and validating one request may take."""

import re
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from pydantic_core import PydanticCustomError, ValidationError

from app.kit.errors.problems import MAX_ERRORS

# Stop the validation after this many errors beyond MAX_ERRORS.
_MAX_COUNTED = 1000
# Characters. Shorter strings do not count, such as dates, addresses and most numbers.
SHORT = 100
# Total characters of the longer strings of a body, and of its long numbers. The longest number of
# PostgreSQL has 147,455 digits.
MAX_PARSED = 200_000
# Values in all JSON documents that a body contains as strings.
MAX_EMBEDDED = 50_000
# Translates every character of a number to 0, the exponent to `e`, and the characters that may
# precede a number to a colon. Searching the result is faster than a complex regular expression.
DIGITS = bytes.maketrans(b"123456789.+-E,[ \t\n\r", b"0" * 12 + b"e" + b":" * 6)
# A number of this many characters is long.
LONG = 40
_LONG_NUMBER = b"0" * LONG
# Matches up to the character that starts the next value, in JSON without escaped quotes. There are
# at most two strings before it, as in `"name": "Ada",`.
_NEXT = rb'[^",\[{]*+(?:"[^"]*+(?:"|\Z)[^",\[{]*+){0,2}+[,\[{]'
_NEXT_VALUE = re.compile(_NEXT)
# Matching 100 values at once is several times faster than matching each.
_MANY = 100
_NEXT_VALUES = re.compile(b"(?:%s){100}" % _NEXT)


@dataclass(slots=True)
class Budget:
    """The remaining limits of one validation, and its number of errors."""

    kept: int = 0
    dropped: int = 0
    parsed: int = MAX_PARSED
    embedded: int = MAX_EMBEDDED


_budget: ContextVar[Budget] = ContextVar("budget")


def new_budget() -> Budget:
    """Start a validation with full limits."""
    budget = Budget()
    _budget.set(budget)
    return budget


def has_more_values(body: bytes, limit: int) -> bool:
    """Return whether JSON has more values than the limit, objects and lists included.

    The count ends at the first syntax error.
    """
    # Fast: count the bytes that can start a value. Strings may contain them too.
    if len(body) - len(body.translate(None, b",[{")) < limit:
        return False
    body = _without_escapes(body)
    count = position = 0
    for number, pattern in ((_MANY, _NEXT_VALUES), (1, _NEXT_VALUE)):
        while count < limit and (match := pattern.match(body, position)):
            count, position = count + number, match.end()
    return count >= limit


def has_long_numbers(digits: bytes, limit: int) -> bool:
    """Return whether the long numbers of JSON are too long to be parsed.

    `digits` is the body, translated by DIGITS, with at most `limit` values.
    """
    most = MAX_PARSED // LONG
    if digits.count(_LONG_NUMBER) <= most:
        return False
    # Exclude strings. A value has at most two: its key and itself.
    outside = _without_escapes(digits).split(b'"', 4 * limit)[::2]
    return b'"'.join(outside).count(_LONG_NUMBER) > most


def _without_escapes(body: bytes) -> bytes:
    return body.replace(rb"\\", b"").replace(rb"\"", b"") if b"\\" in body else body


def within_parsed(value: Any) -> Any:
    """Return the value. Raises PydanticCustomError if the strings to parse are too long."""
    # The time to parse a date or an address depends on its length, even if it is not valid.
    if isinstance(value, str) and (size := len(value)) > SHORT:
        budget = _budget.get()
        if size > budget.parsed:
            raise PydanticCustomError("text_too_long", "is too long to be parsed")
        budget.parsed -= size
    return value


def within_embedded(value: Any) -> Any:
    """Return the value. Raises PydanticCustomError if JSON in strings has too many values."""
    if isinstance(value, str) and len(value) > SHORT:
        budget = _budget.get()
        text = value.encode(errors="replace")
        if has_more_values(text, budget.embedded):
            raise PydanticCustomError("too_many_values", "has too many values")
        values = len(text) - len(text.translate(None, b",[{")) + 1
        budget.embedded = max(0, budget.embedded - values)
    return value


def within_errors(value: Any, handler: Any) -> Any:
    """Validate an item of a list or mapping. Count the errors beyond MAX_ERRORS."""
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
        # Nested items have already counted their own errors.
        budget.kept += max(0, error.error_count() - (budget.kept - kept))
        raise
