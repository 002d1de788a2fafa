"""Routes that validate strictly, and a router that finds them by the first segment of a path."""

from collections.abc import Callable, Coroutine, Iterable
from itertools import chain
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send
from typing_extensions import deprecated

from app.kit.http.json_body import JsonRequest
from app.kit.http.request_fields import prepare
from app.kit.http.route import current_route

_READING = frozenset({"GET", "HEAD"})
# In place of a first segment: a path that can begin with any.
ANY = ""


class StrictRoute(APIRoute):
    """A route that validates JSON strictly and bounds the work of it.

    Datetimes need an offset, in a body as in any other parameter.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Build the handler; the route's parameters are prepared with its first request."""
        handler = super().get_route_handler()
        prepared = may_have_body = False

        async def handle(request: Request) -> Response:
            nonlocal prepared, may_have_body
            if not prepared:
                route = current_route(request.scope)
                prepare(route.dependant)
                may_have_body = route.body_field is not None or not _READING.issuperset(
                    route.methods
                )
                prepared = True
            if may_have_body:
                request = JsonRequest(request.scope, request.receive)
            return await handler(request)

        return handle


def make_strict(routes: Iterable[BaseRoute]) -> None:
    """Turn plain routes into strict ones: FastAPI asks a route for its handler when it is used."""
    for context in iter_route_contexts(list(routes)):
        if type(context.original_route) is APIRoute:
            context.original_route.__class__ = StrictRoute


class IndexedRouter(APIRouter):
    """The router of an application: compares a path with the routes that begin as it does.

    FastAPI compares every path with every route in turn, and twice with those of its router.
    """

    # By the first segment of a path; None until the next request.
    _parts: dict[str, APIRouter] | None = None

    def forget(self) -> None:
        """Build the index again with the next request."""
        self._parts = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request to the routes that can have its path, in their order."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if self._parts is None:
            self._parts = self._index()
        part = self._parts.get(
            first_segment(scope["path"].removeprefix(scope.get("root_path", "")))
        )
        if part is None:
            await self.app(scope, receive, send)
            return
        # For `request.url_for`, which needs all routes.
        scope.setdefault("router", self)
        await part.app(scope, receive, send)

    def _index(self) -> dict[str, APIRouter]:
        segments = [_first_segments(route) for route in self.routes]
        return {
            segment: self._part(segment, segments)
            for segment in frozenset(chain.from_iterable(segments)) - {ANY}
        }

    def _part(self, segment: str, segments: list[frozenset[str]]) -> APIRouter:
        """Return a router like this one, with the routes whose paths can begin with a segment."""
        part = APIRouter()
        part.__dict__ |= self.__dict__
        part.routes = [
            route
            for route, found in zip(self.routes, segments, strict=True)
            if segment in found or ANY in found
        ]
        # All routes, for one that was added after the index was built.
        part.default = self.app
        return part


def _first_segments(route: BaseRoute) -> frozenset[str]:
    """Return the first segments of the paths of a route or an included router."""
    paths = [context.path or "" for context in iter_route_contexts([route])]
    return frozenset(ANY if "{" in first else first for first in map(first_segment, paths))


def first_segment(path: str) -> str:
    """Return `posts` for `/posts/7`; `ANY` for `/`."""
    return path[1:].partition("/")[0] or ANY


@deprecated("use fastapi.APIRouter; it goes in 0.7.0")
class FeatureRouter(APIRouter):
    """An APIRouter: the router of the application finds routes without its help."""
