"""Core schemas for request data: strict JSON types, datetimes with an offset, few errors.

By default, Pydantic accepts `false` and `"7"` as integers, and `0` as a datetime. Its strict mode
rejects UUIDs as strings if the JSON is already parsed. Therefore the kit validates each request
parameter with a changed copy of its schema. The models and the OpenAPI schema stay unchanged.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, cast

from pydantic_core import PydanticCustomError, core_schema

from app.kit.errors.problems import MAX_ERRORS
from app.kit.http.schemas import without_nul
from app.kit.http.validation.value_checks import (
    MOST_WHITESPACE,
    embedded,
    exact,
    finite,
    no_number,
    no_time,
    no_timestamp,
    of_types,
    short_before_strip,
    within_errors,
    within_parsed,
)

# Keys of a core schema whose values contain no schema for validation.
_SKIPPED = frozenset({"serialization", "metadata", "config", "default", "expected", "members"})
_SEQUENCES = frozenset({"list", "tuple", "set", "frozenset", "deque"})
_STRICT = frozenset({"bool", "int", "float", "str"})
_TEMPORAL = frozenset({"date", "time", "datetime", "timedelta"})
_CHOICES = frozenset({"enum", "literal"})
# Types whose parsing time depends on the length of the string.
_PARSED = frozenset({"decimal", *_TEMPORAL, *_CHOICES})
_BEYOND_NUMERIC = Decimal("1e131072")

Convert = Callable[[Any], Any]


def for_parameters(schema: Any) -> Any:
    """Return the schema for URLs, headers and forms: lenient, but datetimes need an offset."""

    def convert(node: Any) -> Any:
        node = _bounded(_require_offset(node))
        kind = node["type"]
        return _before(within_parsed, node) if kind in _PARSED else node

    return _copied(schema, convert)


def for_json(schema: Any) -> Any:
    """Return the schema for parsed JSON: strict types, and at most one error per list.

    It accepts the same values as `for_errors`, but its errors differ. It calls fewer functions.
    """

    def convert(node: Any) -> Any:
        match node:
            case {"type": str(kind)} if kind in _SEQUENCES:
                return {**node, "fail_fast": True}
            case {"type": "str", "strip_whitespace": True, "max_length": int(most)}:
                short = core_schema.str_schema(strict=True, max_length=most + MOST_WHITESPACE)
                parts = [short, _without_ref(_strict(node))]
                return core_schema.chain_schema(parts, ref=node.get("ref"))
            case {"type": "function-after", "function": {"function": function}}:
                # The body has been searched for NUL.
                is_checked = function is without_nul and "ref" not in node
                return node["schema"] if is_checked else _bounded(node)
            case _:
                return _bounded(_strict(_require_offset(node)))

    return _copied(schema, convert)


def for_errors(schema: Any) -> Any:
    """Return the schema for parsed JSON that reports all errors, up to a limit."""

    def convert(node: Any) -> Any:
        for part in ("items_schema", "values_schema"):
            if isinstance(node.get(part), dict):
                wrapped = core_schema.no_info_wrap_validator_function(within_errors, node[part])
                node = {**node, part: wrapped}
        if node["type"] == "model" and _forbids_extra(node):
            return _before(_limit_extra(node), node)
        return _bounded(_strict(_require_offset(node)))

    return _copied(schema, convert)


def _copied(node: Any, convert: Convert) -> Any:
    """Copy a schema. Convert each nested schema before the outer one."""
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
            # `NaiveDatetime` sets its own constraint.
            return {"tz_constraint": "aware", **node}
        case "float":
            return {"allow_inf_nan": False, **node}
        case "decimal" if not node.get("allow_inf_nan"):
            # The driver stores numbers with more digits before the decimal point as 0.
            return {"lt": _BEYOND_NUMERIC, "gt": -_BEYOND_NUMERIC, **node}
        case _:
            return node


def _bounded(node: Any) -> Any:
    """Limit the length of strings whose parsing time depends on it."""
    match node:
        case {"type": "json"}:
            inner = _without_ref(node)
            return core_schema.no_info_wrap_validator_function(embedded, inner, ref=node.get("ref"))
        case {"type": "url" | "multi-host-url" | "complex" | "fraction"}:
            return _before(within_parsed, node)
        case {"type": "str", "strip_whitespace": True, "max_length": int(most)}:
            return _before(short_before_strip(most), node)
        case {"function": {"function": function}} if _is_parser(function):
            return _before(within_parsed, node)
        case _:
            return node


def _is_parser(function: Any) -> bool:
    # A parser of email addresses, for example. Encoded values are long, but fast to parse.
    module: str = getattr(function, "__module__", None) or ""
    name: str = getattr(function, "__qualname__", "")
    return module.startswith("pydantic.") and not name.startswith(("Encoded", "Secret"))


def _key(node: Any) -> Any:
    # Keys of a JSON object are always strings, even for a type like `dict[int, str]`.
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
        # Types that are strings in JSON, such as IP addresses.
        return _before(no_number, node)
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
