"""Routes with strict validation, and a router with an index of the paths of its routes."""

import re
from collections.abc import Callable, Coroutine, Iterable, Iterator
from functools import cached_property
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.params import Form
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from starlette.routing import BaseRoute, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from app.kit.http.asgi import READING, ROOT, current_route, may_have_body, path_of
from app.kit.http.validation.fast_endpoint import FastEndpoint
from app.kit.http.validation.json_body import JsonRequest, check_media_type
from app.kit.http.validation.request_fields import Unsupported, replace_fields

_GROUP_NAME = re.compile(r"\(\?P<\w+>")
_PARAMETER = re.compile(r"[^/]*\{[^/]*")
# Literal segments with the parameters before them: `/*/orders` in `/*/orders/*/items`. Group 2: a
# parameter follows.
_COLLECTION = re.compile(r"((?:/\*)*(?:/[^/*]+)+)(/\*)?")


class StrictRoute(APIRoute):
    """A route that validates JSON strictly, and limits the size and number of its values.

    Datetimes need an offset, in the body and in all other parameters. Compressed bodies and
    undeclared media types get 415: FastAPI would parse them as text.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler. At the first request, it makes all parameters strict."""
        handler = super().get_route_handler()
        has_body: bool | None = None
        declared = ""

        async def handle(request: Request) -> Response:
            nonlocal has_body, declared
            if has_body is None:
                # Not earlier: only the scope has the route with the dependencies of its routers.
                route = current_route(request.scope)
                replace_fields(route.dependant)
                declared = getattr(getattr(route.body_field, "field_info", None), "media_type", "")
                has_body = may_have_body(route)
            if has_body:
                request = JsonRequest(request.scope, request.receive)
                if declared and await request.body():
                    check_media_type(declared, request.scope)
            return await handler(request)

        return handle


def make_strict(routes: Iterable[BaseRoute]) -> None:
    """Make routes strict. FastAPI calls `get_route_handler` later, at the first request."""
    for context in iter_route_contexts(list(routes)):
        if type(context.original_route) is APIRoute:
            context.original_route.__class__ = StrictRoute


class IndexedRouter(APIRouter):
    """The router of an application. It finds the route of a request with one regular expression.

    FastAPI's router compares it with every route, and twice with routes of included routers. With
    50 routes, this takes a fifth of the time of a small request.
    """

    # For each method, one regular expression of all paths. Its last group is the name of a route.
    # None until the next request builds the index.
    _patterns: dict[str, re.Pattern[str]] | None = None
    _indexed: "dict[str | None, _IndexedRoute]"

    def include_router(self, router: APIRouter, **options: Any) -> None:
        """Include a router. The next request builds the index again."""
        super().include_router(router, **options)
        self._patterns = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request to the first route that matches its method and path."""
        is_http = scope["type"] == "http"
        if not is_http or (found := self._find(scope["method"], path := path_of(scope))) is None:
            # FastAPI's router responds with 404 or 405, and finds routes that were added later.
            await self.app(scope, receive, send)
            return
        # For `request.url_for`, which needs all routes.
        scope.setdefault("router", self)
        # With tracing, FastAPI's router adds the name of the route to the span.
        if (app := found.app) is None or "fastapi.telemetry" in scope:
            await found.fallback(scope, receive, send)
            return
        values = found.path_params(path)
        # The same values as FastAPI's routers set.
        scope["path_params"] = {**scope.get("path_params", {}), **values}
        scope["route"], scope["endpoint"] = found.original_route, found.endpoint
        scope.setdefault("fastapi", {})["effective_route_context"] = found.route
        await app(scope, receive, send)

    def resource_of(self, scope: Scope) -> str:
        """Return the resource of a request, or an empty string if no route matches.

        It is a collection, with all paths below it. For example, `/posts`, `/posts/feed`,
        `/posts/1` and `/posts/2/tags` are one resource.
        """
        found = self._find(scope["method"], path_of(scope))
        return found.resource if found else ""

    def serves_head_by_get(self, scope: Scope) -> bool:
        """Return whether the path has a GET route, and no route before it accepts HEAD."""
        found = self._find("HEAD", path_of(scope))
        return found is not None and not found.accepts("HEAD")

    def allowed_methods(self, scope: Scope) -> list[str]:
        """Return the methods of the path of a request, for the `Allow` header."""
        # A mount changes `root_path`, so each application stores its own root path under ROOT.
        path = path_of({**scope, "root_path": scope.get(ROOT, scope.get("root_path", ""))})
        found = {method: self._find(method, path) for method in sorted(self._patterns or ())}
        return [method for method, each in found.items() if each and each.has_valid_params(path)]

    def _find(self, method: str, path: str) -> "_IndexedRoute | None":
        pattern = (self._patterns or self._build_index()).get(method)
        match = pattern and pattern.match(path)
        return self._indexed[match.lastgroup] if match else None

    def _build_index(self) -> dict[str, re.Pattern[str]]:
        contexts = list(iter_route_contexts(self.routes))
        collections = frozenset(_collections(contexts))
        self._indexed = {}
        for top_level in self.routes:
            # A shallow copy of this router, which keeps its options. If its only route does not
            # match, for example because its class overrides `matches`, it tries all routes.
            router = APIRouter()
            router.__dict__ |= self.__dict__ | {"default": self.app, "redirect_slashes": False}
            router.routes = [top_level]
            for route in iter_route_contexts([top_level]):
                if not isinstance(route.original_route, WebSocketRoute):
                    resource = _resource(route, collections)
                    indexed = _IndexedRoute(route, resource, router.app)
                    self._indexed[f"route_{len(self._indexed)}"] = indexed
        texts = {
            method: "|".join(
                f"{each.pattern}(?P<{name}>)"
                for name, each in self._indexed.items()
                if each.accepts(method) or (method == "HEAD" and each.accepts("GET"))
            )
            for method in READING.union(*(each.methods or () for each in contexts))
        }
        self._patterns = {method: re.compile(text) for method, text in texts.items() if text}
        return self._patterns


class _IndexedRoute:
    """A route, its resource, and FastAPI's router for requests that `app` does not handle."""

    def __init__(self, route: RouteContext, resource: str, fallback: ASGIApp) -> None:
        self.route, self.resource, self.fallback = route, resource, fallback
        # Each access to the context looks an attribute up in several objects.
        self.original_route, self.endpoint = route.original_route, route.endpoint
        self.path_regex: re.Pattern[str] | None = getattr(route, "path_regex", None)
        self.convertors: dict[str, Any] = getattr(route, "param_convertors", {})

    @property
    def pattern(self) -> str:
        """The regular expression of the path, without the names of its groups."""
        # Without a path, such as a route that compares hosts, FastAPI's router decides.
        return _GROUP_NAME.sub("(?:", self.path_regex.pattern) if self.path_regex else ".*"

    def accepts(self, method: str) -> bool:
        """Return whether the route accepts a method. A mount accepts all."""
        return method in (self.route.methods or {method})

    @cached_property
    def app(self) -> ASGIApp | None:
        """The application of the route, or None if FastAPI's router must call it."""
        is_strict = type(self.original_route) is StrictRoute
        # FastAPI's router sets the limits of forms.
        if not is_strict or isinstance(getattr(self.route.body_field, "field_info", None), Form):
            return None
        app: ASGIApp = self.route.app
        try:
            return FastEndpoint(self.route, app)
        except Unsupported:
            return app

    def path_params(self, path: str) -> dict[str, Any]:
        """Return the parameters in a path, as strings or as declared by `{name:type}`."""
        found = self.path_regex.match(path) if self.convertors and self.path_regex else None
        given = found.groupdict() if found else {}
        return {name: self.convertors[name].convert(text) for name, text in given.items()}

    def has_valid_params(self, path: str) -> bool:
        """Return whether the parameters in a path are valid: `feed` is not the id of a post."""
        dependant: Dependant | None = getattr(self.route, "dependant", None)
        if dependant is None:
            return bool(self.route.methods)
        values = self.path_params(path)
        fields = _path_fields(dependant)
        return not any(field.validate(values.get(field.alias), {}, loc=())[1] for field in fields)


def _path_fields(dependant: Dependant) -> Iterator[Any]:
    """Yield the path parameters of an endpoint and its dependencies."""
    yield from dependant.path_params
    for each in dependant.dependencies:
        yield from _path_fields(each)


def _collections(routes: Iterable[RouteContext]) -> Iterator[str]:
    """Yield paths whose longer paths belong to the same resource."""
    for route in routes:
        found = _COLLECTION.match(_path(route))
        # Above a parameter, a mount, or a path that a POST adds rows to.
        if found and (found[2] or not READING.issuperset(route.methods or {"*"})):
            yield found[1]


def _resource(route: RouteContext, collections: frozenset[str]) -> str:
    path = _path(route)
    prefixes = (path[: found.start()] for found in re.finditer(r"(?!^)/|$", path))
    return next((each for each in prefixes if each in collections), path)


def _path(route: RouteContext) -> str:
    """Return the path of a route, with `*` for each parameter."""
    return _PARAMETER.sub("*", route.path or "").rstrip("/")
