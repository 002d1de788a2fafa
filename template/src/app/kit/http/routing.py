"""Routes with strict validation."""

from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import BaseRoute

from app.kit.http.matched_route import current_route
from app.kit.http.validation.json_body import JsonRequest
from app.kit.http.validation.request_fields import prepare

_READING = frozenset({"GET", "HEAD"})


class StrictRoute(APIRoute):
    """A route that validates JSON strictly, and limits the size and number of its values.

    Datetimes need an offset, in the body and in all other parameters.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler. It prepares the parameters of the route at the first request."""
        handler = super().get_route_handler()
        prepared = has_body = False

        async def handle(request: Request) -> Response:
            nonlocal prepared, has_body
            if not prepared:
                route = current_route(request.scope)
                prepare(route.dependant)
                has_body = may_have_body(route)
                prepared = True
            if has_body:
                request = JsonRequest(request.scope, request.receive)
            return await handler(request)

        return handle


def may_have_body(route: Any) -> bool:
    """Return whether requests of a route may have a body."""
    return route.body_field is not None or not _READING.issuperset(route.methods)


def make_strict(routes: Iterable[BaseRoute]) -> None:
    """Make routes strict. FastAPI calls `get_route_handler` later, at the first request."""
    for context in iter_route_contexts(list(routes)):
        if type(context.original_route) is APIRoute:
            context.original_route.__class__ = StrictRoute
