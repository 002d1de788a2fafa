"""HEAD, conditional GET and the check of `Content-Type`, for every route.

FastAPI's GET routes do not accept HEAD, and FastAPI parses a body of the wrong type as text.
"""

import re
from asyncio import Event
from collections.abc import Sequence
from functools import cached_property
from http import HTTPStatus
from typing import Any

from fastapi.routing import iter_route_contexts
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.kit.errors.handlers import problem_response
from app.kit.http.asgi import ROOT, header, routes_at
from app.kit.http.middleware.request_limits import HAS_BODY

_JSON = re.compile(r"application/(?:[^\s;]+\+)?json", re.IGNORECASE)
_FORM = "application/x-www-form-urlencoded"
_MULTIPART = "multipart/form-data"
_UTF_8 = re.compile(r';\s*charset="?utf-8"?\s*(?=;|$)', re.IGNORECASE)
_TAG = re.compile(r'"[^"]*"')
_FORMS = (_FORM, _MULTIPART)
# Only endpoints that declare one of these types are checked.
CHECKED_TYPES = frozenset({"application/json", *_FORMS})
# Headers of a body, which a 304 response does not have.
_BODY_HEADERS = frozenset({b"content-length", b"content-type"})


class ContentNegotiationMiddleware:
    """Handles HEAD like GET, `If-None-Match` with 304, and a wrong `Content-Type` with 415.

    It must be the innermost middleware, because it passes HEAD to the application as GET.
    """

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute]) -> None:
        self.app = app
        self.routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request. Other scopes than HTTP pass through."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope[ROOT] = scope.get("root_path", "")
        if scope["method"] == "HEAD" and self._is_served_by_get(scope):
            await self._head(scope, receive, send)
        elif scope.get(HAS_BODY) and (response := self._check_content_type(scope)):
            await response(scope, receive, send)
        elif scope["method"] in ("GET", "HEAD"):
            await self.app(scope, receive, _conditional(scope, send))
        else:
            await self.app(scope, receive, send)

    def _is_served_by_get(self, scope: Scope) -> bool:
        """Return whether the path has a GET route, and no route before it accepts HEAD."""
        for route in routes_at(self.routes, scope):
            if not route.methods or "HEAD" in route.methods:
                return False
            if "GET" in route.methods:
                return True
        return False

    async def _head(self, scope: Scope, receive: Receive, send: Send) -> None:
        # A copy, because the server reads the method from the original scope.
        inner = {**scope, "method": "GET"}
        received, sent = False, Event()

        async def receive_once() -> Message:
            # Report a disconnect after the headers, so that streams end.
            nonlocal received
            if not received:
                received = True
                return await receive()
            await sent.wait()
            return {"type": "http.disconnect"}

        async def send_headers(message: Message) -> None:
            if message["type"] != "http.response.body":
                await send(message)
            elif not sent.is_set():
                sent.set()
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        try:
            await self.app(inner, receive_once, _conditional(inner, send_headers))
        finally:
            # Copy the route to the original scope, for the log and the metrics.
            scope.update({**inner, "method": "HEAD"})

    def _check_content_type(self, scope: Scope) -> Response | None:
        """Return a response if the endpoint does not accept the content type of a request."""
        content_type = header(scope, b"content-type")
        media_type = content_type.partition(";")[0].strip().lower()
        # Without forms, no route rejects JSON. This avoids the search for the route.
        if _JSON.fullmatch(media_type) and not self._has_form:
            return None
        for route in routes_at(self.routes, scope):
            if route.methods and scope["method"] in route.methods:
                return _check_media_type(route, media_type, content_type)
        return None

    @cached_property
    def _has_form(self) -> bool:
        routes = iter_route_contexts(self.routes)
        return any(_declared_media_type(route) in _FORMS for route in routes)


def _declared_media_type(route: Any) -> str:
    """Return the media type that an endpoint declares for its body."""
    body = getattr(route, "body_field", None)
    media_type: str = getattr(getattr(body, "field_info", None), "media_type", "")
    return media_type


def _check_media_type(route: Any, media_type: str, content_type: str) -> Response | None:
    declared = _declared_media_type(route)
    accepted = f"{_FORM}, {_MULTIPART}"
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


def _conditional(scope: Scope, send: Send) -> Send:
    """Send 304 instead of a response whose `ETag` the client already has (RFC 9110, 13.1.2)."""
    # The header may be repeated.
    given = [value for name, value in scope["headers"] if name == b"if-none-match"]
    if not any(given):
        return send
    condition = b",".join(given).decode("latin-1")
    known = set(_TAG.findall(condition))  # without `W/`, for a weak comparison
    unchanged = False

    async def send_if_changed(message: Message) -> None:
        nonlocal unchanged
        if message["type"] == "http.response.start" and message["status"] == HTTPStatus.OK:
            headers = message.get("headers", ())
            tags = [value.decode("latin-1") for name, value in headers if name == b"etag"]
            unchanged = bool(tags) and (
                condition.strip() == "*" or not known.isdisjoint(_TAG.findall(tags[0]))
            )
            if unchanged:
                kept = [pair for pair in headers if pair[0] not in _BODY_HEADERS]
                message = {**message, "status": int(HTTPStatus.NOT_MODIFIED), "headers": kept}
        elif unchanged and message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return send_if_changed
