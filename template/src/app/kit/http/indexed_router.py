"""A router that compares a request with the routes that can match it."""

from collections.abc import Iterator, Mapping
from itertools import chain, takewhile
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias, cast

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from starlette.routing import BaseRoute, Mount, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from app.kit.http.routing import StrictRoute
from app.kit.http.validation.fast_routes import FastRoutes

# The method of a request, the number of slashes in its path, and the first segment.
Key: TypeAlias = tuple[str, int, str]


class Candidate(NamedTuple):
    """A route, its router, and the options of `include_router`. `keys` is None if any may match."""

    keys: frozenset[Key] | None
    route: BaseRoute
    router: APIRouter | None = None
    options: Mapping[str, Any] = MappingProxyType({})

    def may_match(self, key: Key) -> bool:
        """Return whether requests with a key can match the route."""
        if self.keys is not None:
            return key in self.keys
        if isinstance(self.route, WebSocketRoute):
            return False
        mounted = self.route.path if isinstance(self.route, Mount) else ""
        return "{" in mounted or _segment(mounted) in ("", key[2])

    def add_to(self, part: APIRouter) -> None:
        """Add only this route to a router."""
        if self.router is None:
            part.routes.append(self.route)
        else:
            # Not `copy`, which would create a router of a deprecated class with its warning.
            alone = object.__new__(type(self.router))
            own = {"routes": [self.route], "default": part.default}
            alone.__dict__ |= self.router.__dict__ | own
            part.include_router(alone, **self.options)


class IndexedRouter(APIRouter):
    """The router of an application.

    FastAPI compares the path of a request with each route, and twice with routes of included
    routers. With 50 routes, this would take a fifth of the time of a small request.
    """

    # The keys of all routes; None until the next request builds the index.
    _keys: frozenset[Key] | None = None
    _candidates: tuple[Candidate, ...] = ()
    _parts: dict[Key, ASGIApp]
    _included: dict[int, tuple[APIRouter, dict[str, Any]]]

    @classmethod
    def install(cls, app: FastAPI) -> None:
        """Make this the class of the router of an application. FastAPI has no option for it."""
        router = cast("Any", app.router)
        router.__class__ = cls
        router._parts, router._included = {}, {}

    def include_router(self, router: APIRouter, **options: Any) -> None:
        """Include a router. The next request builds the index again."""
        super().include_router(router, **options)
        self._included[id(self.routes[-1])] = router, options
        self._keys = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request to the routes that can match it, in routing order."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if self._keys is None:
            self._candidates = tuple(self._all_candidates())
            self._keys = frozenset(chain(*(each.keys or () for each in self._candidates)))
            self._parts = {}
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        key = _key(scope["method"], path)
        if key not in self._keys:
            await self.app(scope, receive, send)
            return
        part = self._parts.get(key)
        if part is None:
            part = self._parts[key] = self._part(key)
        # For `request.url_for`, which needs all routes.
        scope.setdefault("router", self)
        await part(scope, receive, send)

    def _all_candidates(self) -> Iterator[Candidate]:
        for route in self.routes:
            included = self._included.get(id(route))
            if included is None:
                yield Candidate(_keys(route), route)
            else:
                router, options = included
                for inner in router.routes:
                    keys = _keys(inner, options.get("prefix", ""))
                    yield Candidate(keys, inner, router, options)

    def _part(self, key: Key) -> ASGIApp:
        """Return the application of a router like this one, with the routes that have a key."""
        part = APIRouter()
        # If none of them matches, try all routes: for 405, and for routes that were added later.
        part.__dict__ |= self.__dict__ | {"default": self.app, "redirect_slashes": False}
        part.__dict__ |= {"routes": [], "on_startup": [], "on_shutdown": []}
        found = [each for each in self._candidates if each.may_match(key)]
        for candidate in found:
            candidate.add_to(part)
        included = takewhile(lambda route: not isinstance(route, APIRoute), part.routes)
        contexts = iter_route_contexts(list(included))
        routes = takewhile(lambda each: type(each.original_route) is StrictRoute, contexts)
        return FastRoutes([each for each in routes if key in (_keys(each) or (key,))], part.app)


def _keys(route: BaseRoute | RouteContext, prefix: str = "") -> frozenset[Key] | None:
    """Return the keys of the requests that a route can match, or None if there is no fixed set."""
    keys: set[Key] = set()
    for context in iter_route_contexts([route]):
        path = prefix + (context.path or "")
        # A parameter with a colon, such as `{name:path}`, may match slashes.
        if not context.methods or ":" in path or "{" in _segment(path):
            return None
        keys |= {_key(method, path) for method in context.methods}
    return frozenset(keys)


def _key(method: str, path: str) -> Key:
    return method, path.count("/"), _segment(path)


def _segment(path: str) -> str:
    """Return the first segment of a path."""
    return path[1:].partition("/")[0]
