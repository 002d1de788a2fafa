"""Checks of parsed JSON before Pydantic converts it.

Each returns the value. A value of the wrong type becomes an object that no type accepts, so that
Pydantic reports the error in its own words.
"""

import re
from collections.abc import Callable
from math import isfinite
from typing import Any, cast

from pydantic_core import PydanticCustomError, PydanticKnownError

_SCALAR = (str, int, float, bool)
_NUMBER = re.compile(r"\s*[+-]?\d*\.?\d*\s*")
_INVALID = object()


def no_number(value: Any) -> Any:
    """Reject a number."""
    return _INVALID if isinstance(value, int | float) else value


def no_timestamp(value: Any) -> Any:
    """Reject a number, also one in text."""
    # It would be read as seconds.
    is_number = isinstance(value, str) and _NUMBER.fullmatch(value)
    return _INVALID if is_number else no_number(value)


def no_time(value: Any) -> Any:
    """Reject a date that has a time, such as midnight."""
    has_time = isinstance(value, str) and len(value.strip()) > len("2026-01-31")
    return _INVALID if has_time else no_timestamp(value)


def exact(value: Any) -> Any:
    """Reject a boolean, and return the text of a number that was parsed with it."""
    # A float has fewer digits than the number in the body.
    return _INVALID if isinstance(value, bool) else getattr(value, "text", value)


def finite(value: Any) -> Any:
    """Reject data that contains a number that is not finite, with a PydanticKnownError."""
    # A number like 1e999 is JSON, but neither Python nor PostgreSQL can write it as JSON.
    if not _is_finite(value):
        raise PydanticKnownError("finite_number")
    return value


def _is_finite(value: Any) -> bool:
    match value:
        case float():
            return isfinite(value)
        case dict():
            return all(map(_is_finite, cast("dict[object, object]", value).values()))
        case list():
            return all(map(_is_finite, cast("list[object]", value)))
        case _:
            return True


def no_nul(value: Any) -> Any:
    """Reject data that contains a NUL character, with a PydanticCustomError."""
    if _has_nul(value):
        raise PydanticCustomError("nul_character", "must not contain the NUL character")
    return value


def _has_nul(value: Any) -> bool:
    match value:
        case str():
            return "\x00" in value
        case dict():
            items = cast("dict[object, object]", value).items()
            return any(_has_nul(key) or _has_nul(item) for key, item in items)
        case list():
            return any(map(_has_nul, cast("list[object]", value)))
        case _:
            return False


def of_types(types: set[type]) -> Callable[[Any], Any]:
    """Return a check that does not accept `true`, 1.0 or "1" for a choice that is 1."""

    def check(value: Any) -> Any:
        return value if not isinstance(value, _SCALAR) or type(value) in types else _INVALID

    return check
