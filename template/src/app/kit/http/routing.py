"""Routes with strict validation, and a router that finds the route of a request by its path."""

from collections.abc import Callable, Coroutine, Iterable
from itertools import takewhile
from typing import Any, TypeAlias, cast

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.params import Form
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from starlette.routing import BaseRoute, Mount, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from app.kit.http.asgi import current_route, may_have_body, path_of
from app.kit.http.validation.fast_endpoint import FastEndpoint
from app.kit.http.validation.json_body import JsonRequest
from app.kit.http.validation.model_field import Unsupported
from app.kit.http.validation.request_fields import prepare

# The method of a request, the number of slashes in its path, and the first segment.
Key: TypeAlias = tuple[str, int, str]


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


def make_strict(routes: Iterable[BaseRoute]) -> None:
    """Make routes strict. FastAPI calls `get_route_handler` later, at the first request."""
    for context in iter_route_contexts(list(routes)):
        if type(context.original_route) is APIRoute:
            context.original_route.__class__ = StrictRoute


class IndexedRouter(APIRouter):
    """The router of an application.

    FastAPI compares the path of a request with each route, and twice with routes of included
    routers. With 50 routes, this would take a fifth of the time of a small request.
    """

    # The keys of all routes; None until the next request builds the index.
    _keys: frozenset[Key] | None = None
    _apps: dict[Key, ASGIApp]

    @classmethod
    def install(cls, app: FastAPI) -> None:
        """Make this the class of the router of an application. FastAPI has no option for it."""
        cast("Any", app.router).__class__ = cls

    def include_router(self, router: APIRouter, **options: Any) -> None:
        """Include a router. The next request builds the index again."""
        super().include_router(router, **options)
        self._keys = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request to the routes that can match it, in routing order."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if self._keys is None:
            routes = iter_route_contexts(self.routes)
            self._keys = frozenset(key for route in routes for key in _keys(route) or ())
            self._apps = {}
        key = _key(scope["method"], path_of(scope))
        if key not in self._keys:
            await self.app(scope, receive, send)
            return
        if (app := self._apps.get(key)) is None:
            app = self._apps[key] = self._app(key)
        # For `request.url_for`, which needs all routes.
        scope.setdefault("router", self)
        await app(scope, receive, send)

    def _app(self, key: Key) -> ASGIApp:
        """Return an application with the routes that have a key."""
        part = APIRouter()
        # If none of them matches, try all routes: for 405, and for routes that were added later.
        part.__dict__ |= self.__dict__ | {"default": self.app, "redirect_slashes": False}
        part.routes = [
            route
            for route in self.routes
            if any(_may_match(each, key) for each in iter_route_contexts([route]))
        ]
        routes = [each for each in iter_route_contexts(part.routes) if _may_match(each, key)]
        strict = takewhile(lambda each: type(each.original_route) is StrictRoute, routes)
        return _Routes(strict, part.app)


class _Routes:
    """Passes a request to the first matching route, or to FastAPI if no route matches."""

    def __init__(self, routes: Iterable[RouteContext], fallback: ASGIApp) -> None:
        self._fallback = fallback
        self._routes = [(each, each.path_regex, self._endpoint(each)) for each in routes]

    def _endpoint(self, route: RouteContext) -> ASGIApp | None:
        if isinstance(getattr(route.body_field, "field_info", None), Form):
            # FastAPI's router sets the limits of forms.
            return None
        app: ASGIApp = route.app
        try:
            return FastEndpoint(route, app)
        except Unsupported:
            return app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        path = path_of(scope)
        # FastAPI's router names the route in the span.
        routes = () if "fastapi.telemetry" in scope else self._routes
        for route, regex, endpoint in routes:
            if (match := regex.match(path)) and scope["method"] in (route.methods or ()):
                if endpoint is None:
                    break
                _select(scope, route, match.groupdict())
                await endpoint(scope, receive, send)
                return
        await self._fallback(scope, receive, send)


def _select(scope: Scope, route: RouteContext, found: dict[str, str]) -> None:
    """Set the same values in the scope as FastAPI's routers."""
    values = {name: route.param_convertors[name].convert(text) for name, text in found.items()}
    scope["path_params"] = {**scope.get("path_params", {}), **values}
    scope["route"], scope["endpoint"] = route.original_route, route.endpoint
    scope.setdefault("fastapi", {})["effective_route_context"] = route


def _may_match(route: RouteContext, key: Key) -> bool:
    """Return whether requests with a key can match a route."""
    keys = _keys(route)
    if keys is not None:
        return key in keys
    if isinstance(route.original_route, WebSocketRoute):
        return False
    mounted = (route.path or "") if isinstance(route.original_route, Mount) else ""
    return "{" in mounted or _segment(mounted) in ("", key[2])


def _keys(route: RouteContext) -> frozenset[Key] | None:
    """Return the keys of the requests that a route can match, or None if there is no fixed set."""
    path = route.path or ""
    # A parameter with a colon, such as `{name:path}`, may match slashes.
    if not route.methods or ":" in path or "{" in _segment(path):
        return None
    return frozenset(_key(method, path) for method in route.methods)


def _key(method: str, path: str) -> Key:
    return method, path.count("/"), _segment(path)


def _segment(path: str) -> str:
    """Return the first segment of a path."""
    return path[1:].partition("/")[0]
