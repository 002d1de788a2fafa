"""Every route needs a caller, except the public routes in this file."""

from collections.abc import Iterator

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from app.kit.auth.authentication import is_protected

PUBLIC = {
    "/docs",
    "/docs-assets",
    "/docs/oauth2-redirect",
    "/docs/openid-configuration",
    "/health/live",
    "/health/ready",
    "/openapi.json",
    "/redoc",
    # ---- the template's end here, your public routes follow ----
}


def unprotected(app: FastAPI) -> Iterator[str]:
    """Yield the paths of routes that need no caller. The kit does not protect mounts."""
    for route in iter_route_contexts(app.routes):
        if not is_protected(route):
            yield route.path or ""


def test_only_these_routes_are_public(app: FastAPI) -> None:
    assert set(unprotected(app)) == PUBLIC
