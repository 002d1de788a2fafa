"""Core schemas for request data: strict JSON types, datetimes with an offset, few errors.

Pydantic validates leniently by default: `false` and `"7"` are integers, `0` is a datetime. Its
strict mode does not fit data that is already parsed: it rejects the text of a UUID. So the
schema of each request parameter is copied with these changes. The models themselves, and with them
the OpenAPI schema, stay as they are.
"""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

from pydantic import ValidationError
from pydantic_core import PydanticCustomError, core_schema

from app.kit.http.json_types import (
    exact,
    finite,
    no_nul,
    no_number,
    no_time,
    no_timestamp,
    of_types,
)

MAX_ERRORS = 100
# After this many unlisted errors, the rest of the data is not validated.
_MAX_COUNTED = 1000
# Parts of a schema that hold no schema for input.
_SKIPPED = frozenset({"serialization", "metadata", "config", "default", "expected", "members"})
_SEQUENCES = frozenset({"list", "tuple", "set", "frozenset", "deque"})
_STRICT = frozenset({"bool", "int", "float", "str"})
_TEMPORAL = frozenset({"date", "time", "datetime", "timedelta"})
_CHOICES = frozenset({"enum", "literal"})
_BEYOND_NUMERIC = Decimal("1e131072")

Convert = Callable[[Any], Any]


@dataclass
class ErrorBudget:
    """How many errors of one validation are kept, and how many are only counted."""

    kept: int = 0
    dropped: int = 0


_budget: ContextVar[ErrorBudget] = ContextVar("error_budget")


def for_parameters(schema: Any) -> Any:
    """Return the schema for text from a URL or header: lenient, but datetimes need an offset."""
    return _copied(schema, _require_offset)


def for_json(schema: Any) -> Any:
    """Return the schema for parsed JSON: types are strict, the first invalid item ends a list."""

    def convert(node: Any) -> Any:
        if node["type"] in _SEQUENCES:
            return {**node, "fail_fast": True}
        return _strict(_require_offset(node))

    return _copied(schema, convert)


def for_errors(schema: Any) -> Any:
    """Return the schema that reports why JSON is invalid, for use within `counting_errors`."""

    def convert(node: Any) -> Any:
        for part in ("items_schema", "values_schema"):
            if isinstance(node.get(part), dict):
                wrapped = core_schema.no_info_wrap_validator_function(_within_budget, node[part])
                node = {**node, part: wrapped}
        if node["type"] == "model" and _forbids_extra(node):
            return _before(_limit_extra(node), node)
        return _strict(_require_offset(node))

    return _copied(schema, convert)


def counting_errors() -> ErrorBudget:
    """Start to count the errors of a validation."""
    budget = ErrorBudget()
    _budget.set(budget)
    return budget


def _copied(node: Any, convert: Convert) -> Any:
    """Copy a schema, and convert each schema within it, from the inside out."""
    match node:
        case {"type": str()}:
            parts = {
                key: _copied(part, _key if key == "keys_schema" else convert)
                for key, part in node.items()
                if key not in _SKIPPED
            }
            return convert({**node, **parts})
        case dict():
            items = cast("dict[str, object]", node).items()
            return {key: _copied(part, convert) for key, part in items}
        case list():
            return [_copied(part, convert) for part in cast("list[object]", node)]
        case tuple():
            return tuple(_copied(part, convert) for part in cast("tuple[object, ...]", node))
        case _:
            return node


def _require_offset(node: Any) -> Any:
    match node["type"]:
        case "datetime":
            # A team that wants local time says so with `NaiveDatetime`.
            return {"tz_constraint": "aware", **node}
        case "float":
            return {"allow_inf_nan": False, **node}
        case "decimal" if not node.get("allow_inf_nan"):
            # The driver stores a number with more digits before the point as 0.
            return {"lt": _BEYOND_NUMERIC, "gt": -_BEYOND_NUMERIC, **node}
        case _:
            return node


def _key(node: Any) -> Any:
    # The keys of a JSON object are text, whatever their type in Python.
    node = _require_offset(node)
    return _before(no_timestamp, node) if node["type"] in _TEMPORAL else node


def _strict(node: Any) -> Any:
    kind = node["type"]
    if kind in _STRICT:
        return {"strict": True, **node}
    if kind == "any":
        return _before(finite, node)
    if kind == "decimal":
        return _before(exact, node)
    if kind == "date":
        return _before(no_time, node)
    if kind in _TEMPORAL:
        return _before(no_timestamp, node)
    if kind == "lax-or-strict":
        # Of types that are text in JSON, such as an IP address.
        return _before(no_number, node)
    if kind == "json":
        # The body was searched for NUL characters, but not JSON within one of its texts.
        inner = _without_ref(node)
        return core_schema.no_info_after_validator_function(no_nul, inner, ref=node.get("ref"))
    if kind in _CHOICES:
        choices = node.get("members") or node["expected"]
        return _before(of_types({type(getattr(each, "value", each)) for each in choices}), node)
    return node


def _before(check: Convert, node: Any) -> Any:
    inner = _without_ref(node)
    return core_schema.no_info_before_validator_function(check, inner, ref=node.get("ref"))


def _without_ref(node: Any) -> core_schema.CoreSchema:
    return cast("core_schema.CoreSchema", {key: part for key, part in node.items() if key != "ref"})


def _forbids_extra(node: Any) -> bool:
    return bool(node.get("config", {}).get("extra_fields_behavior") == "forbid")


def _limit_extra(node: Any) -> Convert:
    fields = node["schema"]
    while "fields" not in fields:
        fields = fields.get("schema") or {"fields": ()}
    most = len(fields["fields"]) + MAX_ERRORS

    def check(value: Any) -> Any:
        count = _count(value)
        if count > most:
            message = "Object has {count} fields, most of them unknown"
            raise PydanticCustomError("too_many_fields", message, {"count": count})
        return value

    return check


def _count(value: Any) -> int:
    return len(cast("dict[str, Any]", value)) if isinstance(value, dict) else 0


def _within_budget(value: Any, handler: Convert) -> Any:
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
