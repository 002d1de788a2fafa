"""The route of a request, and other routes with the same path."""

from collections.abc import Iterator, Sequence
from typing import Any

from fastapi.routing import RouteContext, iter_route_contexts
from starlette.routing import BaseRoute, WebSocketRoute
from starlette.types import Scope

# Key in the ASGI scope: the root path of the application, with the path of its mount.
ROOT = "app.root_path"
HEALTH = "/health/"


def path_of(scope: Scope) -> str:
    """Return the path of a request within the application."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def is_health_path(scope: Scope) -> bool:
    """Return whether the request is for a health route."""
    return path_of(scope).startswith(HEALTH)


def current_route(scope: Scope) -> Any:
    """Return the route with the prefixes of its routers; None before routing."""
    return scope.get("fastapi", {}).get("effective_route_context") or scope.get("route")


def route_template(scope: Scope) -> str | None:
    """Return the declared path, such as `/posts/{post_id}`; None if no route matches."""
    # The path of the route in `scope["route"]` lacks the prefixes of `include_router`.
    path: str | None = getattr(current_route(scope), "path_format", None)
    return path


def routes_at(routes: Sequence[BaseRoute], scope: Scope) -> Iterator[RouteContext]:
    """Yield the routes that match the path of a request, with any method, in routing order.

    This compares all paths. Do not call it for every request.
    """
    # A mount changes `root_path`, so the middleware of each application stores its own.
    root: str = scope.get(ROOT, scope.get("root_path", ""))
    path = scope["path"].removeprefix(root)
    for route in iter_route_contexts(routes):
        regex: Any = getattr(route, "path_regex", None)
        if regex and regex.match(path) and not isinstance(route.original_route, WebSocketRoute):
            yield route


def allowed_methods(routes: Sequence[BaseRoute], scope: Scope) -> list[str]:
    """Return the methods that the path of a request has, for the `Allow` header."""
    methods = {method for route in routes_at(routes, scope) for method in route.methods or ()}
    return sorted(methods | {"HEAD"} if "GET" in methods else methods)
