"""Which route a request takes, and which others have its path."""

from collections.abc import Iterator, Sequence
from typing import Any

from fastapi.routing import RouteContext, iter_route_contexts
from starlette.routing import BaseRoute, WebSocketRoute
from starlette.types import Scope

# In a scope: the path below which the application is, for a mounted one that of its mount.
ROOT = "app.root_path"


def current_route(scope: Scope) -> Any:
    """Return the route with what its inclusion adds, such as a prefix; None before routing."""
    return scope.get("fastapi", {}).get("effective_route_context") or scope.get("route")


def route_of(scope: Scope) -> str | None:
    """The path as it was declared, as in `/posts/{post_id}`; None where no route has taken it."""
    # FastAPI names the route that was declared. Where its router was included below a prefix,
    # only what FastAPI made of both has the whole path.
    path: str | None = getattr(current_route(scope), "path_format", None)
    return path


def routes_at(routes: Sequence[BaseRoute], scope: Scope) -> Iterator[RouteContext]:
    """Yield the routes that match the path of a request, with any method, in routing order.

    This compares all paths: call it for rare requests only.
    """
    # A mount changes `root_path`, so the middleware of each application keeps its own.
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
