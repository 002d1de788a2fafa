"""OpenAPI documentation of the headers that middleware and dependencies read and send."""

import http.client
from typing import Any

from app.kit.errors.problems import status_title

_COMPONENTS = {
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
_OF_STATUS = {"415": "Accept", "503": "Retry-After"}
_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "ETags that the client has. The response is 304 if one of them is current",
    "schema": {"type": "string"},
}


def document_headers(document: dict[str, Any]) -> None:
    """Add response headers to all operations of an OpenAPI document, and correct parameters."""
    components = document.setdefault("components", {}).setdefault("headers", {})
    for name, (description, kind) in _COMPONENTS.items():
        components.setdefault(name, {"description": description, "schema": {"type": kind}})
    for path in document["paths"].values():
        for method, operation in path.items():
            _document_operation(method, operation)


def _document_operation(method: str, operation: dict[str, Any]) -> None:
    parameters: list[dict[str, Any]] = operation.get("parameters", [])
    for parameter in parameters:
        if parameter["in"] in ("header", "cookie"):
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
        sent = {"X-Request-ID", _OF_STATUS.get(status, "X-Request-ID")}
        if "if-match" in names and ((is_success and status != "204") or status == "304"):
            sent.add("ETag")
        if "idempotency-key" in names and is_success:
            sent.add("Idempotent-Replayed")
        headers: dict[str, Any] = response.setdefault("headers", {})
        for name in sorted(sent):
            headers.setdefault(name, {"$ref": f"#/components/headers/{name}"})
        if status.isdecimal() and response["description"] == http.client.responses.get(int(status)):
            response["description"] = status_title(int(status))


def _remove_null(schema: dict[str, Any]) -> None:
    """Remove null from the types of a header: a header can be missing, but not null."""
    options: list[dict[str, Any]] = schema.get("anyOf", [])
    kept = [each for each in options if each != {"type": "null"}]
    if len(kept) == 1:
        del schema["anyOf"]
        schema.update(kept[0])
    elif kept:
        schema["anyOf"] = kept
