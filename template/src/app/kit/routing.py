"""Routes that validate strictly, and routers that skip paths of others quickly."""

from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import BaseRoute, Match
from starlette.types import Scope

from app.kit.http.json_body import JsonRequest
from app.kit.http.request_fields import prepare
from app.kit.http.route import current_route


class StrictRoute(APIRoute):
    """A route that validates JSON strictly and bounds the work of it.

    Datetimes need an offset, in a body as in any other parameter.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Build the handler; the route's parameters are prepared with its first request."""
        handler = super().get_route_handler()
        prepared = False

        async def handle(request: Request) -> Response:
            nonlocal prepared
            if not prepared:
                prepare(current_route(request.scope).dependant)
                prepared = True
            return await handler(JsonRequest(request.scope, request.receive))

        return handle


def make_strict(routes: Iterable[BaseRoute]) -> None:
    """Turn plain routes into strict ones: FastAPI asks a route for its handler when it is used."""
    for context in iter_route_contexts(list(routes)):
        if type(context.original_route) is APIRoute:
            context.original_route.__class__ = StrictRoute


class FeatureRouter(APIRouter):
    """An APIRouter with a prefix: FastAPI would compare each of its paths with each request."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether a route of it has this path; only asked where the path has the prefix in it."""
        # It may be included below another prefix, and have parameters in its own.
        fixed, _, _ = self.prefix.partition("{")
        if fixed not in scope["path"]:
            return Match.NONE, {}
        return super().matches(scope)
