"""Schemas of the OpenAPI document, written as client generators need them."""

import json
from typing import Any

from app.kit.http.openapi.schema_names import PREFIX, objects_in

_BOUNDS = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})
# FastAPI converts bounds to float, which rounds the largest bigint up.
_EXACT = {2.0**63: 2**63 - 1}

Schema = dict[str, Any]


def correct_schemas(document: dict[str, Any]) -> None:
    """Write bounds of integers as integers, and defaults of request bodies as descriptions."""
    for schema in objects_in(document):
        if schema.get("type") == "integer":
            for name in _BOUNDS & schema.keys():
                bound = schema[name]
                if isinstance(bound, float) and bound.is_integer():
                    inclusive = name in ("minimum", "maximum")
                    schema[name] = _EXACT.get(bound, int(bound)) if inclusive else int(bound)
    schemas: dict[str, Schema] = document.get("components", {}).get("schemas", {})
    for name in _request_schemas(document, schemas):
        for field in schemas[name].get("properties", {}).values():
            _describe_default(field)


def _request_schemas(document: dict[str, Any], schemas: dict[str, Schema]) -> set[str]:
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
