"""Build example request bodies from the OpenAPI schema."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from app.kit.http.openapi.schemas import PREFIX

Schema = dict[str, Any]

# Default examples. A string has none: its schema must contain an example.
SAMPLES = {
    "boolean": True,
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "integer": 1,
    "number": 1,
    "uuid": "01987f3e-6b5d-7c3a-b0f2-d4c6e8a01357",
}


class MissingExample(Exception):
    """A part of the schema without an example."""


def bodies(app: FastAPI, package: str = "") -> Iterator[tuple[str, Schema, Any]]:
    """Yield operation id, body schema and body field of each operation that takes JSON.

    `package` limits them to endpoints in this package.
    """
    routes = [context.original_route for context in iter_route_contexts(app.routes)]
    fields = {
        route.name: route.body_field
        for route in routes
        if isinstance(route, APIRoute) and route.endpoint.__module__.startswith(package)
    }
    for item in app.openapi()["paths"].values():
        for operation in item.values():
            content = operation.get("requestBody", {}).get("content", {})
            name = operation["operationId"]
            if "application/json" in content and name in fields:
                yield name, content["application/json"]["schema"], fields[name]


def validation_errors(app: FastAPI, name: str, schema: Schema, body_field: Any) -> list[str]:
    """Return the validation errors of a body's example. Raises MissingExample."""
    example = example_of(schema, app.openapi()["components"]["schemas"], name)
    _, errors = body_field.validate(example, {}, loc=(name,))
    return [f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in errors or ()]


def example_of(schema: Schema, components: dict[str, Schema], path: str) -> Any:
    """Return an example that matches the schema. Raises MissingExample."""
    if "examples" in schema:
        return schema["examples"][0]
    for keyword in ("example", "const", "default"):
        if keyword in schema:
            return schema[keyword]
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(PREFIX)
        # A schema that contains itself needs an explicit example.
        if name not in components:
            raise MissingExample(path)
        others = {other: part for other, part in components.items() if other != name}
        return example_of(components[name], others, path)
    if "enum" in schema:
        return schema["enum"][0]
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in schema:
            return example_of(schema[choice][0], components, path)
    match schema.get("type"):
        case "object":
            fields: dict[str, Schema] = schema.get("properties", {})
            return {
                name: example_of(field, components, f"{path}.{name}")
                for name, field in fields.items()
            }
        case "array":
            return [example_of(schema["items"], components, f"{path}[]")]
        case kind:
            sample = SAMPLES.get(schema.get("format") or str(kind))
            if sample is None:
                raise MissingExample(path)
            return sample
