"""Schemas of the OpenAPI document, named and written as client generators need them."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, cast

PREFIX = "#/components/schemas/"
_BOUNDS = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})
# FastAPI converts bounds to float, which rounds the largest bigint up.
_EXACT = {2.0**63: 2**63 - 1}

Schema = dict[str, Any]
Schemas = dict[str, Schema]


def objects_in(node: Any) -> Iterator[dict[str, Any]]:
    """Yield all objects of a document, at any depth."""
    if isinstance(node, dict):
        found = cast("dict[str, Any]", node)
        yield found
        for value in found.values():
            yield from objects_in(value)
    elif isinstance(node, list):
        for value in cast("Sequence[Any]", node):
            yield from objects_in(value)


def rename_schemas(document: dict[str, Any]) -> None:
    """Rename schemas, and merge each request schema with an equal response schema."""
    schemas: Schemas = document.get("components", {}).get("schemas", {})
    names = _readable_names(schemas, _merged(schemas))
    renamed: Schemas = {}
    for old, schema in schemas.items():
        renamed[names[old]] = schema
        if "[" in schema.get("title", ""):
            # Some generators use the title as class name.
            schema["title"] = names[old]
    schemas.clear()
    schemas.update(sorted(renamed.items()))
    _replace_references(document, names)


def _merged(schemas: Schemas) -> dict[str, str]:
    """Return one name for each pair of equal `-Input` and `-Output` schemas of FastAPI."""
    same = {
        name.removesuffix("-Input")
        for name in schemas
        if name.endswith("-Input") and name.removesuffix("-Input") + "-Output" in schemas
    }
    while True:
        names = {f"{name}-{kind}": name for name in same for kind in ("Input", "Output")}
        different = {
            name
            for name in same
            if _normalized(schemas[f"{name}-Input"], names)
            != _normalized(schemas[f"{name}-Output"], names)
        }
        if not different:
            return names
        # Compare again: schemas that refer to a different schema are different too.
        same -= different


def _normalized(schema: Schema, names: dict[str, str]) -> str:
    copy: Schema = json.loads(json.dumps(schema))
    _replace_references(copy, names)
    return json.dumps(copy, sort_keys=True)


def _replace_references(node: Any, names: dict[str, str]) -> None:
    for each in objects_in(node):
        for key, value in each.items():
            # In `$ref`, and in the mapping of a discriminator.
            if isinstance(value, str) and value.startswith(PREFIX):
                name = value.removeprefix(PREFIX)
                each[key] = PREFIX + names.get(name, name)


def _readable_names(schemas: Schemas, merged: dict[str, str]) -> dict[str, str]:
    """Map schema names to readable ones: `PagePostOut` for `Page[PostOut]`, or `BillingItem`."""
    titles = {
        name: re.sub(r"\W", "_", schema.get("title", name)) for name, schema in schemas.items()
    }
    modules = {name: _module(name, title) for name, title in titles.items()}
    names: dict[str, str] = {}
    for old, title in titles.items():
        name = merged.get(old, old)
        same = [modules[other] for other in schemas if titles[other] == title and modules[other]]
        for part in modules[old]:
            # Omit the packages that contain all models with this title.
            if all(part in other for other in same):
                name = name.replace(f"{part}__", "", 1)
        is_plain = name.isidentifier() and "__" not in name and not name.endswith("_")
        names[old] = name if is_plain else _camel_case(name)
    # If two schemas would get the same new name, both keep the old one.
    used = Counter(new for _, new in {(merged.get(old, old), new) for old, new in names.items()})
    return {old: merged.get(old, old) if used[new] > 1 else new for old, new in names.items()}


def _module(name: str, title: str) -> list[str]:
    # If several models have the same name, Pydantic puts the module before the name.
    path, found, _ = name.partition(f"__{title}")
    return path.split("__") if found else []


def _camel_case(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"\W|_", name))


def correct_schemas(document: dict[str, Any]) -> None:
    """Write bounds of integers as integers, and defaults of request bodies as descriptions."""
    for schema in objects_in(document):
        if schema.get("type") == "integer":
            for name in _BOUNDS & schema.keys():
                bound = schema[name]
                if isinstance(bound, float) and bound.is_integer():
                    inclusive = name in ("minimum", "maximum")
                    schema[name] = _EXACT.get(bound, int(bound)) if inclusive else int(bound)
    schemas: Schemas = document.get("components", {}).get("schemas", {})
    for name in _request_schemas(document, schemas):
        for field in schemas[name].get("properties", {}).values():
            _describe_default(field)


def _request_schemas(document: dict[str, Any], schemas: Schemas) -> set[str]:
    """Return the names of the schemas that request bodies refer to, at any depth."""
    found: set[str] = set()
    nodes: list[Any] = [
        operation["requestBody"]
        for path in document["paths"].values()
        for operation in path.values()
        if "requestBody" in operation
    ]
    while nodes:
        for each in objects_in(nodes.pop()):
            name = str(each.get("$ref", "")).removeprefix(PREFIX)
            if name in schemas and name not in found:
                found.add(name)
                nodes.append(schemas[name])
    return found


def _describe_default(field: Schema) -> None:
    """Move a default to the description: openapi-typescript makes such fields required."""
    if "default" not in field:
        return
    default = field.pop("default")
    text = f"Default: `{json.dumps(default, ensure_ascii=False)}`"
    description = field.get("description", "").rstrip(".")
    field["description"] = f"{description}. {text}" if description else text
    field.setdefault("examples", [default])
