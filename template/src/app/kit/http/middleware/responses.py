"""The outermost middleware: it completes every response, and logs each request.

A response gets a request id and the security headers. Errors in plain text or in FastAPI's JSON
format, such as those of middleware, files and mounted applications, become problem documents.
"""

import re
from collections.abc import Callable
from http import HTTPStatus
from secrets import token_hex
from time import perf_counter

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.kit.errors.handlers import handle_unexpected_error, problem_response
from app.kit.errors.problems import MAX_ERRORS, FieldProblem
from app.kit.http.asgi import Headers, header, route_template, set_default_headers, set_header
from app.kit.http.middleware.security import make_location_relative
from app.kit.observability.logging import ACCESS_LOG

HEADER = "X-Request-ID"
_NAME = HEADER.lower().encode()
# An id from the client is used only if it cannot break a log line or a header.
_ACCEPTABLE = re.compile(r"[A-Za-z0-9._-]{1,128}")
# Key in the ASGI scope.
_HAS_ID = "app.has_request_id"
_LONGEST_DETAIL = 1000  # bytes
# Longer JSON bodies are not errors of FastAPI, and pass unchanged.
_LONGEST_ERROR = 1_000_000  # bytes
_PLAIN_TEXT = "text/plain"
_REPLACED_TYPES = (_PLAIN_TEXT, "application/json")
_BODY_HEADERS = frozenset({b"content-length", b"content-type"})
# The ASGI extension for a response to a rejected WebSocket handshake.
_DENIAL = "websocket.http.response"


class ResponseMiddleware:
    """Completes responses and rejected WebSocket handshakes, and logs one line per request.

    `headers` are added to each response that does not set them.
    """

    def __init__(
        self,
        app: ASGIApp,
        record_request: Callable[[Scope, int | None, float], None] | None,
        headers: Headers,
    ) -> None:
        self.app = app
        self.record_request = record_request
        self.headers = headers
        # structlog exposes its context variable only in a token. Keep it, and the logger: structlog
        # would look both up for each request.
        [token] = structlog.contextvars.bind_contextvars(request_id="").values()
        self.request_id = token.var
        self.request_id.reset(token)
        self.log = structlog.get_logger(ACCESS_LOG).bind()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request or WebSocket."""
        # The outer application completes the responses of a mounted application.
        if scope["type"] == "lifespan" or _HAS_ID in scope:
            await self.app(scope, receive, send)
            return
        scope[_HAS_ID] = True
        given = header(scope, _NAME)
        request_id = given if _ACCEPTABLE.fullmatch(given) else token_hex(16)
        handle = self._http if scope["type"] == "http" else self._websocket
        token = self.request_id.set(request_id)
        try:
            await handle(scope, receive, send, request_id.encode())
        finally:
            self.request_id.reset(token)

    async def _websocket(
        self, scope: Scope, receive: Receive, send: Send, request_id: bytes
    ) -> None:
        may_reject = _DENIAL in (scope.get("extensions") or {})

        async def send_complete(message: Message) -> None:
            nonlocal may_reject
            is_rejection = may_reject and message["type"] == "websocket.close"
            may_reject = False
            if is_rejection:
                response = problem_response(
                    HTTPStatus.FORBIDDEN, "The WebSocket connection was rejected."
                )
                await response(scope, receive, send_complete)
                return
            if message["type"] in ("websocket.accept", "websocket.http.response.start"):
                set_header(message, _NAME, request_id)
            await send(message)

        await self.app(scope, receive, send_complete)

    async def _http(self, scope: Scope, receive: Receive, send: Send, request_id: bytes) -> None:
        status: int | None = None
        # The start of an error response, until its body is complete.
        held: Message | None = None
        body = b""

        async def send_complete(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                # A plain int: the log would show an HTTPStatus with its name.
                status = int(message["status"])
                set_default_headers(message, self.headers)
                set_header(message, _NAME, request_id)
                if 300 <= status < 400 or status == HTTPStatus.CREATED:
                    make_location_relative(message, scope)
            await send(message)

        async def send_problem(message: Message) -> None:
            nonlocal held, body
            is_error = message.get("status", 0) >= HTTPStatus.BAD_REQUEST
            if is_error and _media_type(message) in _REPLACED_TYPES:
                held = message
                return
            if held is None:
                await send_complete(message)
                return
            body += message.get("body", b"")
            is_complete = not message.get("more_body")
            if not is_complete and len(body) <= _LONGEST_ERROR:
                return
            if _media_type(held) == _PLAIN_TEXT and not is_complete:
                # Keep only the start of a long text, which becomes the detail.
                body = body[:_LONGEST_DETAIL]
                return
            start, held = held, None
            if (response := _problem(start, body)) is None:
                await send_complete(start)
                await send_complete({**message, "body": body})
            elif scope["method"] == "HEAD":
                # Without the length: the response to GET may have another one.
                headers = [pair for pair in response.raw_headers if pair[0] != b"content-length"]
                await send_complete({**start, "headers": headers})
                await send_complete({"type": "http.response.body", "body": b""})
            else:
                await response(scope, receive, send_complete)

        started = perf_counter()
        try:
            await self.app(scope, receive, send_problem)
        except Exception as error:
            if status is None:
                response = await handle_unexpected_error(Request(scope), error)
                await response(scope, receive, send_complete)
            elif status != HTTPStatus.INTERNAL_SERVER_ERROR:
                # During any other response, the server must see it and close the connection. After
                # a 500 response, Starlette raises the exception again, which is already logged.
                raise
        finally:
            seconds = perf_counter() - started
            if self.record_request:
                self.record_request(scope, status, seconds)
            self.log.info(
                "request",
                method=scope["method"],
                path=scope["path"],
                route=route_template(scope),
                status=status,
                milliseconds=round(seconds * 1000, 1),
            )


def _media_type(start: Message) -> str:
    # An encoded body is not text.
    if header(start, b"content-encoding"):
        return ""
    return header(start, b"content-type").partition(";")[0] or _PLAIN_TEXT


class _Error(BaseModel):
    """One of FastAPI's validation errors."""

    loc: list[str | int]
    msg: str


class _Errors(BaseModel):
    """The body of FastAPI's own error responses."""

    model_config = ConfigDict(extra="forbid")

    detail: str | list[_Error]


def _problem(start: Message, body: bytes) -> Response | None:
    """Return a problem document, or None for JSON that is not an error of FastAPI."""
    errors: list[FieldProblem] = []
    if _media_type(start) == _PLAIN_TEXT:
        detail = body[:_LONGEST_DETAIL].decode(errors="replace")
    else:
        try:
            found = _Errors.model_validate_json(body).detail
        except ValidationError:
            return None
        detail = found if isinstance(found, str) else "The request is not valid."
        errors = [
            FieldProblem.at(each.loc, each.msg)
            for each in (found if isinstance(found, list) else [])[:MAX_ERRORS]
        ]
    response = problem_response(start["status"], detail, errors)
    kept = [pair for pair in start.get("headers", ()) if pair[0] not in _BODY_HEADERS]
    response.raw_headers.extend(kept)
    return response
