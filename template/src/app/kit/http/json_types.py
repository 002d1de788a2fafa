"""Checks of parsed JSON before Pydantic converts it.

Each returns the value. A value of the wrong type becomes an object that no type accepts, so that
Pydantic reports the error in its own words.
"""

import re
from collections.abc import Callable, Iterator
from math import isfinite
from typing import Any, cast

from pydantic_core import PydanticCustomError, PydanticKnownError

from app.kit.http.bounds import within_embedded, within_parsed

_SCALAR = (str, int, float, bool)
_NUMBER = re.compile(r"\s*[+-]?\d*\.?\d*\s*")
_INVALID = object()
# Characters that a string with `strip_whitespace` may have beyond its `max_length`.
_MOST_WHITESPACE = 1000


def no_number(value: Any) -> Any:
    """Reject a number."""
    return _INVALID if isinstance(value, int | float) else value


def no_timestamp(value: Any) -> Any:
    """Reject a number, also one in text."""
    # Pydantic would parse it as seconds.
    is_number = isinstance(within_parsed(value), str) and _NUMBER.fullmatch(value)
    return _INVALID if is_number else no_number(value)


def no_time(value: Any) -> Any:
    """Reject a date that has a time, such as midnight."""
    has_time = isinstance(within_parsed(value), str) and len(value.strip()) > len("2026-01-31")
    return _INVALID if has_time else no_timestamp(value)


def exact(value: Any) -> Any:
    """Reject a boolean, and return the text of a number that was parsed with it."""
    # A float has fewer digits than the number in the body.
    return _INVALID if isinstance(value, bool) else within_parsed(getattr(value, "text", value))


def finite(value: Any) -> Any:
    """Reject data that contains a number that is not finite, with a PydanticKnownError."""
    # A number like 1e999 is JSON, but neither Python nor PostgreSQL can write it as JSON.
    if not _is_finite(value):
        raise PydanticKnownError("finite_number")
    return value


def _is_finite(value: Any) -> bool:
    return all(isfinite(each) for each in _leaves(value) if isinstance(each, float))


def _leaves(value: Any) -> Iterator[Any]:
    """Yield scalars and the keys of objects."""
    # A loop takes a quarter of the time of a recursive function.
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
    # The check of the body for NUL characters does not parse strings.
    if r"\u0000" in str(value) and _has_nul(parsed):
        raise PydanticCustomError("nul_character", "must not contain the NUL character")
    return parsed


def _has_nul(value: Any) -> bool:
    return any("\x00" in each for each in _leaves(value) if isinstance(each, str))


def of_types(types: set[type]) -> Callable[[Any], Any]:
    """Return a check that does not accept `true`, 1.0 or "1" for a choice that is 1."""

    def check(value: Any) -> Any:
        is_choice = not isinstance(value, _SCALAR) or type(value) in types
        return within_parsed(value) if is_choice else _INVALID

    return check


def short_before_strip(length: int) -> Callable[[Any], Any]:
    """Return a check of the length of a string before its whitespace is removed."""

    def check(value: Any) -> Any:
        # To remove megabytes of whitespace takes a tenth of a second.
        if isinstance(value, str) and len(value) > length + _MOST_WHITESPACE:
            raise PydanticKnownError("string_too_long", {"max_length": length})
        return value

    return check
