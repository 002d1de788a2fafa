"""Checks in the core schemas of `strict_schemas`.

A check returns the value, or an object that is never valid in place of a value of the wrong type,
so that Pydantic reports the error with its usual message.
"""

import json
import re
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, cast

from pydantic_core import (
    PydanticCustomError,
    PydanticKnownError,
    PydanticOmit,
    SchemaError,
    ValidationError,
)

from app.kit.errors.problems import MAX_ERRORS
from app.kit.http.validation.json_body import ExactFloat, count_values

_INVALID = object()
# Possessive quantifiers: the time to match is proportional to the length.
_NUMBER = re.compile(r"\s*+[+-]?\d*+\.?\d*+\s*+")
# After this many errors, only the first error of each list and mapping is reported.
_MAX_COUNTED = MAX_ERRORS + 1000
# No model has more fields. A model with `extra="forbid"` would report each unknown field.
_MAX_FIELDS = 1000
# Values in all JSON documents that a body contains as strings.
MAX_EMBEDDED = 50_000


@dataclass(slots=True)
class Budget:
    """Counts of one validation: its errors, and the values that JSON in strings may still have."""

    errors: int = 0
    # Whether the list or mapping that is being validated has an error.
    is_invalid: bool = False
    embedded: int = MAX_EMBEDDED


_budget: ContextVar[Budget] = ContextVar("budget")


def new_budget() -> None:
    """Start a validation with full limits."""
    _budget.set(Budget())


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


def validate_container(value: Any, handler: Callable[[Any], Any]) -> Any:
    """Validate a list or mapping, whose items `limit_errors` validates."""
    budget = _budget.get()
    outer, budget.is_invalid = budget.is_invalid, False
    try:
        return handler(value)
    finally:
        budget.is_invalid = outer


def limit_errors(value: Any, handler: Callable[[Any], Any]) -> Any:
    """Validate an item of a list or mapping, unless there are too many errors already.

    Only items of an invalid list or mapping are skipped, so it can never be accepted with them.
    """
    budget = _budget.get()
    if budget.is_invalid and budget.errors >= _MAX_COUNTED:
        # Not PydanticOmit: `max_length` would not count the item.
        return value
    before, count = budget.errors, 0
    try:
        return handler(value)
    except ValidationError as error:
        count, budget.is_invalid = error.error_count(), True
        raise
    except SchemaError:
        # The type of the item is `OnErrorOmit`.
        raise PydanticOmit from None
    finally:
        # Nested items have counted their own errors, even those of a choice of a union that does
        # not match, although another one does.
        budget.errors = before + count


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
        try:
            json.dumps(data, allow_nan=False, ensure_ascii=False)
        except TypeError:
            # A validator of the model has created an object of another type.
            return value
        except ValueError:
            raise PydanticKnownError("finite_number") from None
    return value


def choice_of(types: set[type]) -> Callable[[Any], Any]:
    """Return a check that rejects `true`, 1.0 and "1" if the choice is the integer 1."""
    if float in types:
        # JavaScript writes 1.0 as 1.
        types = {*types, int, ExactFloat}

    def check(value: Any) -> Any:
        is_scalar = isinstance(value, str | int | float)
        return _INVALID if is_scalar and type(value) not in types else value

    return check
