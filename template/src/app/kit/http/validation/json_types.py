"""Checks of parsed JSON before Pydantic converts it.

Each check returns the value. It replaces a value of the wrong type by an object that is never
valid, so that Pydantic reports the error with its usual message.
"""

import re
from collections.abc import Callable, Iterator
from math import isfinite
from typing import Any, cast

from pydantic_core import PydanticCustomError, PydanticKnownError

from app.kit.http.validation.limits import within_embedded, within_parsed

_SCALAR = (str, int, float, bool)
_NUMBER = re.compile(r"\s*[+-]?\d*\.?\d*\s*")
_INVALID = object()
# Characters that a string with `strip_whitespace` may have beyond its `max_length`.
MOST_WHITESPACE = 1000


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
