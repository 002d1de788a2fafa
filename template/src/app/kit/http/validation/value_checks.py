"""Checks of single values, and limits of the work that one request can cause.

Most checks are a part of the core schemas of `strict_schemas`. They return the value, or replace a
value of the wrong type by an object that is never valid, so that Pydantic reports the error with
its usual message.
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from pydantic_core import PydanticCustomError, PydanticKnownError, ValidationError
from starlette.datastructures import UploadFile

from app.kit.errors.problems import MAX_ERRORS

Location: TypeAlias = tuple[int | str, ...]

_INVALID = object()
# Possessive quantifiers: the time to match is proportional to the length.
_NUMBER = re.compile(r"\s*+[+-]?\d*+\.?\d*+\s*+")
_SURROGATE = re.compile("[\ud800-\udfff]")
# Validation stops after this many errors.
_MAX_COUNTED = MAX_ERRORS + 1000
# Models have fewer fields. One that forbids extra fields reports each of them.
_MAX_FIELDS = 1000
# Values in all JSON documents that a body contains as strings.
MAX_EMBEDDED = 50_000


@dataclass(slots=True)
class Budget:
    """Counts of one validation: its errors, and the values that JSON in strings may still have."""

    errors: int = 0
    embedded: int = MAX_EMBEDDED


_budget: ContextVar[Budget] = ContextVar("budget")


def new_budget() -> None:
    """Start a validation with full limits."""
    _budget.set(Budget())


def count_values(body: bytes, limit: int) -> int:
    """Return how many values JSON has, objects and lists included.

    The number may be too large up to the limit, and too small above it.
    """
    # Fast: count the bytes that can start a value. Strings may contain them too.
    count = _count_starts(body)
    if count < limit:
        return count + 1
    if b"\\" in body:
        body = body.replace(rb"\\", b"").replace(rb"\"", b"")
    # A value has at most two strings: its key and itself.
    parts = body.split(b'"', 4 * limit + 1)
    return limit + 1 if len(parts) > 4 * limit + 1 else _count_starts(b"".join(parts[::2])) + 1


def _count_starts(body: bytes) -> int:
    return len(body) - len(body.translate(None, b",[{"))


class Rejected(str):
    """The error message for a rejected number. It replaces the number in a parsed body."""


def find_unstorable(value: Any, location: Location) -> Iterator[tuple[Location, str]]:
    """Yield the location of each value and key that PostgreSQL cannot store, and a message."""
    match value:
        case Rejected():
            yield location, value
        case str():
            if message := _message(value):
                yield location, message
        case dict():
            for key, item in cast("dict[str, object]", value).items():
                if message := _message(key):
                    yield location, f"a key {message}"
                else:
                    yield from find_unstorable(item, (*location, key))
        case list():
            for index, item in enumerate(cast("list[object]", value)):
                yield from find_unstorable(item, (*location, index))
        case UploadFile():
            yield from find_unstorable(value.filename, (*location, "filename"))
        case _:
            pass


def _message(text: str) -> str | None:
    if "\x00" in text:
        return "must not contain the NUL character"
    has_surrogate = not text.isascii() and _SURROGATE.search(text)
    return "must not contain half of a surrogate pair" if has_surrogate else None


def limit_embedded_json(value: Any) -> Any:
    """Return JSON in a string. Raises PydanticCustomError for NUL and for too many values."""
    if isinstance(value, str):
        # The NUL check of the body does not parse JSON in strings.
        if r"\u0000" in value.replace(r"\\", ""):
            raise PydanticCustomError("nul_character", "must not contain the NUL character")
        budget = _budget.get()
        budget.embedded -= count_values(value.encode(errors="replace"), budget.embedded)
        if budget.embedded < 0:
            raise PydanticCustomError("too_many_values", "has too many values")
    return value


def limit_errors(value: Any, handler: Callable[[Any], Any]) -> Any:
    """Validate an item of a list or mapping, unless there are too many errors already."""
    budget = _budget.get()
    if budget.errors >= _MAX_COUNTED:
        return value
    before = budget.errors
    try:
        return handler(value)
    except ValidationError as error:
        # Nested items have already counted their own errors.
        budget.errors = before + error.error_count()
        raise


def limit_fields(value: Any) -> Any:
    """Return the input of a model. Raises PydanticCustomError if it has too many fields."""
    data: object = value
    count = len(cast("dict[str, object]", data)) if isinstance(data, dict) else 0
    if count > _MAX_FIELDS:
        message = "Object has {count} fields, most of them unknown"
        raise PydanticCustomError("too_many_fields", message, {"count": count})
    return value


def no_number(value: Any) -> Any:
    """Reject a number."""
    return _INVALID if isinstance(value, int | float) else value


def no_timestamp(value: Any) -> Any:
    """Reject a number and a string with a number, which Pydantic would parse as seconds."""
    is_number = isinstance(value, str) and _NUMBER.fullmatch(value)
    return _INVALID if is_number else no_number(value)


def no_time(value: Any) -> Any:
    """Reject a date with a time, even midnight."""
    has_time = isinstance(value, str) and len(value.strip()) > len("2026-01-31")
    return _INVALID if has_time else no_timestamp(value)


def exact_decimal(value: Any) -> Any:
    """Reject a boolean. Return the original text of an `ExactFloat`."""
    # The float has fewer digits than the number in the body.
    return _INVALID if isinstance(value, bool) else getattr(value, "text", value)


def finite_numbers(value: Any) -> Any:
    """Return data of any type. Raises PydanticKnownError for a number that is not finite."""
    # 1e999 is valid JSON, but Python parses it as infinity, which cannot be written as JSON.
    data: object = value
    if isinstance(data, float | dict | list):
        # A validator of the model may have created objects of other types: TypeError.
        with suppress(TypeError):
            try:
                json.dumps(data, allow_nan=False, ensure_ascii=False)
            except ValueError:
                raise PydanticKnownError("finite_number") from None
    return value


def choice_of(types: set[type]) -> Callable[[Any], Any]:
    """Return a check that rejects `true`, 1.0 and "1" if the choice is the integer 1."""

    def check(value: Any) -> Any:
        is_scalar = isinstance(value, str | int | float)
        return _INVALID if is_scalar and type(value) not in types else value

    return check
