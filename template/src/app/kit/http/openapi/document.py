"""The OpenAPI schema: tags, errors and headers, and a copy in the repository.

Clients are generated from the copy. Reviewers see each change of the API as a diff of it.
"""

import http.client
import inspect
import json
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from app.kit.errors.problems import PROBLEM_SCHEMA, problem_content, problem_responses, status_title
from app.kit.http.validation.json_body import CHECKED_TYPES

# Relative to the project.
OPENAPI_FILE = Path("docs/openapi.json")
# Marks the inherited 422 response, which is removed from operations without input.
_INHERITED = "x-inherited"
# Responses of every operation.
COMMON_RESPONSES: dict[int | str, dict[str, Any]] = {
    422: {**problem_responses(422)[422], _INHERITED: True},
    **problem_responses(503),
}
_HEADERS = {
    "X-Request-ID": ("Id of the request, as in logs and error documents", "string"),
    "ETag": ("Version of the resource, for If-Match and If-None-Match", "string"),
    "Retry-After": (
        "Seconds to wait before a retry. Missing if the request may have succeeded",
        "integer",
    ),
    "Idempotent-Replayed": (
        "`true` if this is the stored response to an earlier request",
        "string",
    ),
    "Accept": ("Media types that the endpoint accepts", "string"),
}
_HEADER_OF_STATUS = {"415": "Accept", "503": "Retry-After"}
_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "ETags that the client has. The response is 304 if one of them is current",
    "schema": {"type": "string"},
}


def tag_descriptions(app: FastAPI) -> list[dict[str, Any]]:
    """Return the tags in the order of the routes, described by the modules of their endpoints."""
    described: dict[str, dict[str, None]] = {}
    for route in iter_route_contexts(app.routes):
        module = inspect.getmodule(route.endpoint)
        paragraph, _, _ = (inspect.getdoc(module) or "").partition("\n\n")
        for tag in getattr(route, "tags", None) or ():
            described.setdefault(str(tag), {})[paragraph.replace("\n", " ")] = None
    return [
        {"name": tag, "description": " ".join(filter(None, paragraphs))}
        for tag, paragraphs in described.items()
    ]


def render_openapi(app: FastAPI) -> str:
    """Return the schema as JSON. The same application always gives the same text."""
    return json.dumps(app.openapi(), indent=2, ensure_ascii=False) + "\n"


def document_errors(document: dict[str, Any]) -> None:
    """Correct the error responses of all operations, and add those of request bodies."""
    for path in document["paths"].values():
        for operation in path.values():
            responses: dict[str, Any] = operation["responses"]
            is_inherited = responses.get("422", {}).pop(_INHERITED, False)
            if is_inherited and not operation.keys() & {"parameters", "requestBody"}:
                del responses["422"]
            if body := operation.get("requestBody"):
                # Too slow, too large, and of the wrong type.
                is_checked = not CHECKED_TYPES.isdisjoint(body["content"])
                for error in (408, 413, *([415] if is_checked else [])):
                    responses.setdefault(str(error), problem_content(error))
            for status, response in responses.items():
                # FastAPI documents every model with the media type of the success response.
                content = response.get("content", {})
                if PROBLEM_SCHEMA in [each.get("schema") for each in content.values()]:
                    code = status.replace("default", "500").replace("X", "0")
                    response["content"] = problem_content(int(code))["content"]
            operation["responses"] = dict(sorted(responses.items()))


def document_headers(document: dict[str, Any]) -> None:
    """Add response headers to all operations of an OpenAPI document, and correct parameters."""
    components = document.setdefault("components", {}).setdefault("headers", {})
    for name, (description, kind) in _HEADERS.items():
        components.setdefault(name, {"description": description, "schema": {"type": kind}})
    for path in document["paths"].values():
        for method, operation in path.items():
            _document_operation(method, operation)


def _document_operation(method: str, operation: dict[str, Any]) -> None:
    parameters: list[dict[str, Any]] = operation.get("parameters", [])
    for parameter in parameters:
        _remove_null(parameter["schema"])
    names = {each["name"].lower() for each in parameters if each["in"] == "header"}
    responses: dict[str, Any] = operation["responses"]
    if method == "get" and "if-match" in names:
        # The ETag dependency declares If-Match for every method. GET uses If-None-Match.
        parameters[:] = [each for each in parameters if each["name"].lower() != "if-match"]
        if "if-none-match" not in names:
            parameters.append(_IF_NONE_MATCH)
        responses.setdefault("304", {"description": status_title(304)})
        operation["responses"] = responses = dict(sorted(responses.items()))
    for status, response in responses.items():
        is_success = status.startswith("2")
        sent = {"X-Request-ID"}
        if status in _HEADER_OF_STATUS:
            sent.add(_HEADER_OF_STATUS[status])
        if "if-match" in names and ((is_success and status != "204") or status == "304"):
            sent.add("ETag")
        if "idempotency-key" in names and is_success:
            sent.add("Idempotent-Replayed")
        headers: dict[str, Any] = response.setdefault("headers", {})
        for name in sorted(sent):
            headers.setdefault(name, {"$ref": f"#/components/headers/{name}"})
        # FastAPI's default, which depends on the version of Python.
        if status.isdecimal() and response["description"] == http.client.responses.get(int(status)):
            response["description"] = status_title(int(status))


def _remove_null(schema: dict[str, Any]) -> None:
    """Remove null from the types of a parameter: it can be missing, but not null."""
    options: list[dict[str, Any]] = schema.get("anyOf", [])
    kept = [each for each in options if each != {"type": "null"}]
    if len(kept) == 1:
        del schema["anyOf"]
        schema.update(kept[0])
    elif kept:
        schema["anyOf"] = kept
