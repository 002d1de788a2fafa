"""The OpenAPI schema with scopes and errors, and the sign-in on the API documentation page."""

from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.kit.auth.caller import is_public_route, required_scopes
from app.kit.auth.provider import Provider
from app.kit.auth.settings import AuthSettings
from app.kit.errors.problems import Unavailable, problem_content

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
        headers = {"WWW-Authenticate": {"$ref": "#/components/headers/WWW-Authenticate"}}
        operation["responses"][str(status)] = {**problem_content(status), "headers": headers}
    operation["responses"] = dict(sorted(operation["responses"].items()))


def add_sign_in(app: FastAPI, settings: AuthSettings, provider: Provider) -> None:
    """Configure the sign-in of Swagger UI: authorization code flow with PKCE.

    The page may send requests to the provider.
    """
    if not (app.openapi_url and app.docs_url):
        return
    app.swagger_ui_init_oauth = {
        "clientId": settings.client_id or "",
        "usePkceWithAuthorizationCodeGrant": True,
        "scopes": " ".join(("openid", *settings.required_scopes)),
        # For Auth0. Other providers ignore it.
        "additionalQueryStringParams": {"audience": settings.audience[0]},
    }

    async def configuration(_request: Request) -> Response:
        found = await provider.configuration()
        if found is None:
            raise Unavailable("The identity provider is unavailable. Try again in a moment.")
        # Swagger UI offers every grant and scope in this document: name only those of this service.
        scopes = dict.fromkeys(["openid", *settings.required_scopes, *all_scopes(app)])
        return JSONResponse(
            found.model_dump(exclude_none=True)
            | {"grant_types_supported": ["authorization_code"], "scopes_supported": [*scopes]}
        )

    app.add_route(f"/{CONFIGURATION_PATH}", configuration, include_in_schema=False)
    for position, route in enumerate(app.routes):
        if isinstance(route, Route) and route.path == app.docs_url:
            app.routes[position] = _with_sources(route, provider)


def _with_sources(page: Route, provider: Provider) -> Route:
    """Return the route of the page with the provider in its Content-Security-Policy."""

    async def endpoint(request: Request) -> Response:
        response: Response = await page.endpoint(request)
        if (found := await provider.configuration()) and found.token_endpoint:
            parts = urlsplit(found.token_endpoint)
            policy = response.headers["Content-Security-Policy"]
            response.headers["Content-Security-Policy"] = policy.replace(
                "connect-src 'self'", f"connect-src 'self' {parts.scheme}://{parts.netloc}"
            )
        return response

    return Route(page.path, endpoint, include_in_schema=False)
