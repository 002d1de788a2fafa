"""Which route a request took."""

from typing import Any

from starlette.types import Scope


def route_of(scope: Scope) -> str | None:
    """The path as it was declared, as in `/posts/{post_id}`; None where no route has taken it."""
    # FastAPI names the route that was declared. Where its router was included below a prefix,
    # only what FastAPI made of both has the whole path.
    route: Any = scope.get("fastapi", {}).get("effective_route_context") or scope.get("route")
    path: str | None = getattr(route, "path_format", None)
    return path
