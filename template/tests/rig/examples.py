"""The examples of the API's document, put together to the bodies that a reader would send."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

Schema = dict[str, Any]

# What these look like everybody knows; what a text looks like has to be told.
SAMPLES = {
    "boolean": True,
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "integer": 1,
    "number": 1,
    "uuid": "01987f3e-6b5d-7c3a-b0f2-d4c6e8a01357",
}
_BELOW = "#/components/schemas/"


class Untold(Exception):
    """The document does not say what a part of a body looks like; its place."""


def bodies(app: FastAPI, package: str = "") -> Iterator[tuple[str, Schema, Any]]:
    """Each operation that takes JSON: its name, the schema of the body, and what reads it.

    With a package, those whose endpoints are in it.
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


def refusals(app: FastAPI, name: str, schema: Schema, reads: Any) -> list[str]:
    """What is wrong with the example of a body, told by the model that reads it.

    Raises Untold.
    """
    example = example_of(schema, app.openapi()["components"]["schemas"], name)
    _, errors = reads.validate(example, {}, loc=(name,))
    return [f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in errors or ()]


def example_of(schema: Schema, named: dict[str, Schema], place: str) -> Any:
    """An example of what a schema describes; raises Untold."""
    if "examples" in schema:
        return schema["examples"][0]
    for said in ("example", "const", "default"):
        if said in schema:
            return schema[said]
    if "$ref" in schema:
        return example_of(named[schema["$ref"].removeprefix(_BELOW)], named, place)
    if "enum" in schema:
        return schema["enum"][0]
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in schema:
            return example_of(schema[choice][0], named, place)
    match schema.get("type"):
        case "object":
            fields: dict[str, Schema] = schema.get("properties", {})
            return {
                name: example_of(field, named, f"{place}.{name}") for name, field in fields.items()
            }
        case "array":
            return [example_of(schema["items"], named, f"{place}[]")]
        case kind:
            sample = SAMPLES.get(schema.get("format") or str(kind))
            if sample is None:
                raise Untold(place)
            return sample
