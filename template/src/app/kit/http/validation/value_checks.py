"""Checks of single values for the core schemas of `strict_schemas`, and limits of their work.

Each check returns the value. It replaces a value of the wrong type by an object that is never
valid, so that Pydantic reports the error with its usual message.
"""

import re
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from math import isfinite
from typing import Any, cast

from pydantic_core import PydanticCustomError, PydanticKnownError, ValidationError

from app.kit.errors.problems import MAX_ERRORS

_SCALAR = (str, int, float, bool)
_NUMBER = re.compile(r"\s*[+-]?\d*\.?\d*\s*")
_INVALID = object()
# Characters that a string with `strip_whitespace` may have beyond its `max_length`.
MOST_WHITESPACE = 1000
# Stop the validation after this many errors beyond MAX_ERRORS.
_MAX_COUNTED = 1000
# Characters. Shorter strings do not count, such as dates, addresses and most numbers.
SHORT = 100
# Total characters of the longer strings of a body, and of its long numbers. The longest number of
# PostgreSQL has 147,455 digits.
MAX_PARSED = 200_000
# Values in all JSON documents that a body contains as strings.
MAX_EMBEDDED = 50_000
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
    body = without_escapes(body)
    count = position = 0
    for number, pattern in ((_MANY, _NEXT_VALUES), (1, _NEXT_VALUE)):
        while count < limit and (match := pattern.match(body, position)):
            count, position = count + number, match.end()
    return count >= limit


def without_escapes(body: bytes) -> bytes:
    """Return JSON without backslashes and quotes that are escaped."""
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


def no_number(value: Any) -> Any:
    """Reject a number."""
    return _INVALID if isinstance(value, int | float) else value


def no_timestamp(value: Any) -> Any:
    """Reject a number and a string with a number."""
    # Pydantic would parse a number as seconds.
    is_number = isinstance(within_parsed(value), str) and _NUMBER.fullmatch(value)
    return _INVALID if is_number else no_number(value)


def no_time(value: Any) -> Any:
    """Reject a date with a time, even midnight."""
    has_time = isinstance(within_parsed(value), str) and len(value.strip()) > len("2026-01-31")
    return _INVALID if has_time else no_timestamp(value)


def exact(value: Any) -> Any:
    """Reject a boolean. Return the original text of an `ExactFloat`."""
    # The float has fewer digits than the number in the body.
    return _INVALID if isinstance(value, bool) else within_parsed(getattr(value, "text", value))


def finite(value: Any) -> Any:
    """Return data of any type. Raises PydanticKnownError for a number that is not finite."""
    # 1e999 is valid JSON, but Python parses it as infinity, which cannot be written as JSON.
    if not _is_finite(value):
        raise PydanticKnownError("finite_number")
    return value


def _is_finite(value: Any) -> bool:
    return all(isfinite(each) for each in _leaves(value) if isinstance(each, float))


def _leaves(value: Any) -> Iterator[Any]:
    """Yield scalars and the keys of objects."""
    # A loop is four times faster than a recursive function.
    rest: list[Any] = [value]
    while rest:
        each = rest.pop()
        if isinstance(each, dict):
            found = cast("dict[object, object]", each)
            rest += found
            rest += found.values()
        elif isinstance(each, list):
            rest += cast("list[object]", each)
        else:
            yield each


def embedded(value: Any, handler: Callable[[Any], Any]) -> Any:
    """Parse a string as JSON. Raises PydanticCustomError for NUL and for too many values."""
    parsed = handler(within_embedded(value))
    # The NUL check of the body does not parse JSON in strings.
    if r"\u0000" in str(value) and _has_nul(parsed):
        raise PydanticCustomError("nul_character", "must not contain the NUL character")
    return parsed


def _has_nul(value: Any) -> bool:
    return any("\x00" in each for each in _leaves(value) if isinstance(each, str))


def of_types(types: set[type]) -> Callable[[Any], Any]:
    """Return a check that rejects `true`, 1.0 and "1" if the choice is the integer 1."""

    def check(value: Any) -> Any:
        is_choice = not isinstance(value, _SCALAR) or type(value) in types
        return within_parsed(value) if is_choice else _INVALID

    return check


def short_before_strip(length: int) -> Callable[[Any], Any]:
    """Return a check of the length of a string before its whitespace is removed."""

    def check(value: Any) -> Any:
        # Stripping megabytes of whitespace takes a tenth of a second.
        if isinstance(value, str) and len(value) > length + MOST_WHITESPACE:
            raise PydanticKnownError("string_too_long", {"max_length": length})
        return value

    return check
