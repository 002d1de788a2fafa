"""Routes with strict validation, and a router that finds the route of a request by its path."""

import re
from collections.abc import Callable, Coroutine, Iterable
from http import HTTPStatus
from itertools import takewhile
from typing import Any, NamedTuple, TypeAlias, cast

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.params import Form
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from starlette.routing import BaseRoute, Mount, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from app.kit.errors.handlers import problem_response
from app.kit.http.asgi import current_route, header, may_have_body, path_of
from app.kit.http.validation.fast_endpoint import FastEndpoint
from app.kit.http.validation.json_body import JsonRequest
from app.kit.http.validation.request_fields import Unsupported, replace_fields

_JSON = re.compile(r"application/(?:[^\s;]+\+)?json", re.IGNORECASE)
_FORM = "application/x-www-form-urlencoded"
_MULTIPART = "multipart/form-data"
_FORMS = (_FORM, _MULTIPART)
_UTF_8 = re.compile(r';\s*charset="?utf-8"?\s*(?=;|$)', re.IGNORECASE)
# Only endpoints that declare one of these types check the type of a request.
CHECKED_TYPES = frozenset({"application/json", *_FORMS})

# The method of a request, the number of slashes in its path, and the first segment.
Key: TypeAlias = tuple[str, int, str]


class StrictRoute(APIRoute):
    """A route that validates JSON strictly, and limits the size and number of its values.

    Datetimes need an offset, in the body and in all other parameters. A body of another media type
    than the declared one gets 415: FastAPI would parse it as text.
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
                    content_type = header(request.scope, b"content-type")
                    if response := _check_media_type(declared, content_type):
                        return response
            return await handler(request)

        return handle


def _check_media_type(declared: str, content_type: str) -> Response | None:
    """Return a response if an endpoint does not accept the content type of a request."""
    media_type = content_type.partition(";")[0].strip().lower()
    accepted = ", ".join(_FORMS)
    if _JSON.fullmatch(declared) and not _JSON.fullmatch(media_type):
        accepted = "application/json"
        detail = "Send the body as JSON, with the header Content-Type: application/json."
    elif declared == _FORM and media_type not in _FORMS:
        detail = f"Send the body as a form, with the header Content-Type: {_FORM}."
    elif declared == _MULTIPART and media_type != _MULTIPART:
        accepted = _MULTIPART
        detail = f"Send the body as a form of the type {_MULTIPART}."
    elif declared in _FORMS and "charset" in _UTF_8.sub("", content_type).lower():
        # Decoding with other codecs of Python may take minutes, or not return text.
        detail = "Send the form in UTF-8, without another charset."
    else:
        # An endpoint with another declared type checks the body itself.
        return None
    return problem_response(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail, headers={"Accept": accepted})


def make_strict(routes: Iterable[BaseRoute]) -> None:
    """Make routes strict. FastAPI calls `get_route_handler` later, at the first request."""
    for context in iter_route_contexts(list(routes)):
        if type(context.original_route) is APIRoute:
            context.original_route.__class__ = StrictRoute


class IndexedRouter(APIRouter):
    """The router of an application. It compares a request only with the routes of the same `Key`.

    FastAPI's router compares it with every route, and twice with routes of included routers. With
    50 routes, this takes a fifth of the time of a small request.
    """

    # The keys of all routes; None until the next request builds the index.
    _keys: frozenset[Key] | None = None
    _candidates: "dict[Key, _Candidates]"

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
            contexts = iter_route_contexts(self.routes)
            self._keys = frozenset(key for context in contexts for key in _keys_of(context) or ())
            self._candidates = {}
        path = path_of(scope)
        key = _key(scope["method"], path)
        if key not in self._keys:
            await self.app(scope, receive, send)
            return
        if (candidates := self._candidates.get(key)) is None:
            candidates = self._candidates[key] = self._find_candidates(key)
        # For `request.url_for`, which needs all routes.
        scope.setdefault("router", self)
        # With tracing, use FastAPI's router, which adds the name of the route to the span.
        routes = () if "fastapi.telemetry" in scope else candidates.routes
        for route, regex, app in routes:
            if (match := regex.match(path)) and key[0] in (route.methods or ()):
                if app is None:
                    break
                _set_route(scope, route, match.groupdict())
                await app(scope, receive, send)
                return
        await candidates.fallback(scope, receive, send)

    def _find_candidates(self, key: Key) -> "_Candidates":
        """Return the routes of this router that requests with a key can match."""
        # A shallow copy of this router, which keeps its options. If none of the routes matches, it
        # tries all routes: for 405, and for routes that were added later.
        router = APIRouter()
        router.__dict__ |= self.__dict__ | {"default": self.app, "redirect_slashes": False}
        router.routes = [
            route
            for route in self.routes
            if any(_may_match(each, key) for each in iter_route_contexts([route]))
        ]
        routes = [each for each in iter_route_contexts(router.routes) if _may_match(each, key)]
        # FastAPI's router calls all others, and the routes after them, to keep the order.
        strict = takewhile(lambda each: type(each.original_route) is StrictRoute, routes)
        found = [(each, each.path_regex, _fast_app(each)) for each in strict]
        return _Candidates(found, router.app)


class _Candidates(NamedTuple):
    """Routes with the regular expressions of their paths and their applications."""

    routes: list[tuple[RouteContext, re.Pattern[str], ASGIApp | None]]
    # FastAPI's router for all other requests.
    fallback: ASGIApp


def _fast_app(route: RouteContext) -> ASGIApp | None:
    """Return the application of a route, or None if FastAPI's router must call it."""
    if isinstance(getattr(route.body_field, "field_info", None), Form):
        # FastAPI's router sets the limits of forms.
        return None
    app: ASGIApp = route.app
    try:
        return FastEndpoint(route, app)
    except Unsupported:
        return app


def _set_route(scope: Scope, route: RouteContext, found: dict[str, str]) -> None:
    """Set the same values in the scope as FastAPI's routers."""
    values = {name: route.param_convertors[name].convert(text) for name, text in found.items()}
    scope["path_params"] = {**scope.get("path_params", {}), **values}
    scope["route"], scope["endpoint"] = route.original_route, route.endpoint
    scope.setdefault("fastapi", {})["effective_route_context"] = route


def _may_match(route: RouteContext, key: Key) -> bool:
    """Return whether requests with a key can match a route."""
    keys = _keys_of(route)
    if keys is not None:
        return key in keys
    if isinstance(route.original_route, WebSocketRoute):
        return False
    if not isinstance(route.original_route, Mount):
        return True
    path = route.path or ""
    return "{" in path or _segment(path) in ("", key[2])


def _keys_of(route: RouteContext) -> frozenset[Key] | None:
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
