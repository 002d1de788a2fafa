"""The OpenAPI schema: the security scheme, scopes and errors of each operation."""

from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts

from app.kit.auth.caller import is_public_route, required_scopes
from app.kit.errors.problems import (
    PROBLEM_MEDIA_TYPE,
    ProblemDocument,
    problem_example,
    status_title,
)

SCHEME = "OpenIDConnect"
# Next to the API docs page and without a slash, so that it also works behind a path prefix.
CONFIGURATION_PATH = "docs/openid-configuration"
_CHALLENGE = {
    "description": "Why the token was rejected (RFC 6750)",
    "schema": {"type": "string"},
}


def describe_security(app: FastAPI, document: dict[str, Any]) -> None:
    """Add the security scheme, and the scopes and errors of each protected operation."""
    components = document.setdefault("components", {})
    components.setdefault("securitySchemes", {})[SCHEME] = {
        "type": "openIdConnect",
        # Relative, so that the schema is the same in every environment.
        "openIdConnectUrl": CONFIGURATION_PATH,
    }
    components.setdefault("headers", {})["WWW-Authenticate"] = _CHALLENGE
    for route in iter_route_contexts(app.routes):
        if isinstance(route.original_route, APIRoute) and not is_public_route(route):
            item = document["paths"].get(route.path_format, {})
            for method in route.methods or ():
                if operation := item.get(method.lower()):
                    _describe(operation, scopes_of(route.dependant))


def all_scopes(app: FastAPI) -> list[str]:
    """Return the scopes that the endpoints of an application need."""
    found: set[str] = set()
    for route in iter_route_contexts(app.routes):
        if isinstance(route.original_route, APIRoute):
            found.update(scopes_of(route.dependant))
    return sorted(found)


def scopes_of(dependant: Dependant) -> list[str]:
    """Return the scopes that `requires` adds to a route."""
    return sorted(required_scopes(dependant) or ())


def _describe(operation: dict[str, Any], scopes: list[str]) -> None:
    operation["security"] = [{SCHEME: scopes}]
    for status in (401, 403):
        operation["responses"][str(status)] = {
            "description": status_title(status),
            "content": {
                PROBLEM_MEDIA_TYPE: {
                    "schema": {"$ref": f"#/components/schemas/{ProblemDocument.__name__}"},
                    "example": problem_example(status),
                }
            },
            "headers": {"WWW-Authenticate": {"$ref": "#/components/headers/WWW-Authenticate"}},
        }
    operation["responses"] = dict(sorted(operation["responses"].items()))
