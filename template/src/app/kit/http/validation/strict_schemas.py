"""Core schemas for request data: strict JSON types, datetimes with an offset, limited errors.

By default, Pydantic accepts `false` and `"7"` as integers, and `0` as a datetime. Its strict mode
for JSON loses digits of decimals, and rejects dates and UUIDs in a model with a `mode="before"`
validator, because they are strings. Therefore the kit validates each request parameter with a
changed copy of its schema. The models and the OpenAPI schema stay unchanged.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, cast

from pydantic_core import core_schema

from app.kit.http.schemas import without_nul
from app.kit.http.validation.value_checks import (
    choice_of,
    exact_decimal,
    finite_numbers,
    limit_embedded_json,
    limit_errors,
    limit_fields,
    no_number,
    no_time,
    no_timestamp,
    validate_container,
)

# Keys of a core schema whose values contain no schema for validation.
_SKIPPED = frozenset({"serialization", "metadata", "config", "default", "expected", "members"})
_ITEMS = frozenset({"items_schema", "keys_schema", "values_schema"})
_STRICT = frozenset({"bool", "int", "float", "str"})
_TEMPORAL = frozenset({"date", "time", "datetime", "timedelta"})
_BEYOND_NUMERIC = Decimal("1e131072")
# Parsing an email address is slow: 2,000 spaces take 4 ms.
_MAX_EMAIL = 320
_EMAIL_PARSERS = frozenset({"EmailStr._validate", "NameEmail._validate"})

Convert = Callable[[Any], Any]
_CHECKS: dict[str, Convert] = {
    "any": finite_numbers,
    "decimal": exact_decimal,
    "fraction": exact_decimal,
    "date": no_time,
    "time": no_timestamp,
    "datetime": no_timestamp,
    "timedelta": no_timestamp,
    # Types that are strings in JSON, such as IP addresses.
    "lax-or-strict": no_number,
}


def for_parameters(schema: Any) -> Any:
    """Return the schema for URLs, headers and forms: lenient, but datetimes need an offset.

    A number is not a date or a time: Pydantic would read `20261129` as a day in 1970.
    """
    return _copied(schema, _text)


def for_json(schema: Any, *, fail_fast: bool) -> Any:
    """Return the schema for parsed JSON, with strict types.

    `fail_fast` is for valid data: one error per list or mapping, and fewer function calls. Without
    it, validation reports all errors, up to a limit. The two schemas accept the same values.
    """
    definitions = {each["ref"]: each for each in schema.get("definitions", ())}

    def convert(node: Any) -> Any:
        match node:
            case {"type": "function-after", "function": {"function": function}} if (
                function is without_nul and "ref" not in node
            ):
                # The body has been searched for NUL.
                return node["schema"]
            case {"keys_schema": {"type": "definition-ref", "schema_ref": ref}}:
                # The definition is strict, but keys are always strings.
                key = _copied(_without_ref(definitions[ref]), _text)
                return convert({**node, "keys_schema": key})
            case _ if _ITEMS & node.keys():
                return {**node, "fail_fast": True} if fail_fast else _with_limits(node)
            case {"config": {"extra_fields_behavior": "forbid"}} if not fail_fast:
                return _before(limit_fields, node)
            case _:
                return _strict(_within_range(node))

    return _copied(schema, convert)


def _copied(node: Any, convert: Convert) -> Any:
    """Copy a schema. Convert each nested schema before the outer one."""
    match node:
        case {"type": str()}:
            parts = {
                key: _copied(part, _text if key == "keys_schema" else convert)
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


def _within_range(node: Any) -> Any:
    """Require an offset, limit numbers to those that PostgreSQL stores, and limit slow parsers."""
    match node:
        case {"type": "datetime"}:
            # `NaiveDatetime` sets its own constraint.
            return {"tz_constraint": "aware", **node}
        case {"type": "float"}:
            return {"allow_inf_nan": False, **node}
        case {"type": "decimal"} if not node.get("allow_inf_nan"):
            # The driver stores numbers with more digits before the decimal point as 0.
            return {"lt": _BEYOND_NUMERIC, "gt": -_BEYOND_NUMERIC, **node}
        case {"type": "json"}:
            return _before(limit_embedded_json, node)
        case {"function": {"function": function}} if (
            getattr(function, "__qualname__", None) in _EMAIL_PARSERS
        ):
            short = core_schema.str_schema(max_length=_MAX_EMAIL)
            return core_schema.chain_schema([short, _without_ref(node)], ref=node.get("ref"))
        case _:
            return node


def _text(node: Any) -> Any:
    # Parameters and the keys of JSON objects are always strings, even for a type like
    # `dict[int, str]`.
    node = _within_range(node)
    return _before(no_timestamp, node) if node["type"] in _TEMPORAL else node


def _strict(node: Any) -> Any:
    kind = node["type"]
    if kind in _STRICT:
        return {"strict": True, **node}
    if kind in ("enum", "literal"):
        choices = node.get("members") or node["expected"]
        return _before(choice_of({type(getattr(each, "value", each)) for each in choices}), node)
    check = _CHECKS.get(kind)
    return _before(check, node) if check else node


def _with_limits(node: Any) -> Any:
    match node:
        case {"items_schema": [*items]}:
            # One type of a tuple may have many items.
            if (index := node.get("variadic_item_index")) is not None:
                items[index] = _around(limit_errors, items[index])
            parts = {"items_schema": items}
        case _:
            parts = {part: _around(limit_errors, node[part]) for part in _ITEMS & node.keys()}
    return _around(validate_container, {**node, **parts})


def _before(check: Convert, node: Any) -> Any:
    inner = _without_ref(node)
    return core_schema.no_info_before_validator_function(check, inner, ref=node.get("ref"))


def _around(check: Callable[[Any, Convert], Any], node: Any) -> Any:
    inner = _without_ref(node)
    return core_schema.no_info_wrap_validator_function(check, inner, ref=node.get("ref"))


def _without_ref(node: Any) -> core_schema.CoreSchema:
    return cast("core_schema.CoreSchema", {key: part for key, part in node.items() if key != "ref"})
