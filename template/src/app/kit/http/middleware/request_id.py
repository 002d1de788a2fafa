"""Request ids in logs, problem documents and response headers. Also logs each request."""

import re
from collections.abc import Callable
from http import HTTPStatus
from secrets import token_hex
from time import perf_counter

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.kit.http.asgi import Headers, header, route_template, set_default_headers, set_header
from app.kit.http.middleware.security import make_location_relative
from app.kit.observability.logging import ACCESS_LOG

HEADER = "X-Request-ID"
_NAME = HEADER.lower().encode()
# An id from the client is used only if it cannot break a log line or a header.
_ACCEPTABLE = re.compile(r"[A-Za-z0-9._-]{1,128}")
# Key in the ASGI scope.
_HAS_ID = "app.has_request_id"


class RequestIdMiddleware:
    """Adds an id to each request and WebSocket, and logs one line per request.

    `headers` are added to each response that does not set them.
    """

    def __init__(
        self,
        app: ASGIApp,
        count: Callable[[Scope, int | None, float], None] | None = None,
        headers: Headers = (),
    ) -> None:
        self.app = app
        self.count = count
        self.headers = headers
        # Keep the context variable, which only a token has, and the logger: structlog would look
        # them up for each request.
        [token] = structlog.contextvars.bind_contextvars(request_id="").values()
        self.request_id = token.var
        self.request_id.reset(token)
        self.log = structlog.get_logger(ACCESS_LOG).bind()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request or WebSocket."""
        # In a mounted application, the outer application has set the id.
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
        async def send_with_id(message: Message) -> None:
            if message["type"] in ("websocket.accept", "websocket.http.response.start"):
                set_header(message, _NAME, request_id)
            await send(message)

        await self.app(scope, receive, send_with_id)

    async def _http(self, scope: Scope, receive: Receive, send: Send, request_id: bytes) -> None:
        statuses: list[int] = []

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                # A plain int: the log would show an HTTPStatus with its name.
                statuses.append(status := int(message["status"]))
                set_default_headers(message, self.headers)
                set_header(message, _NAME, request_id)
                if 300 <= status < 400 or status == HTTPStatus.CREATED:
                    make_location_relative(message, scope)
            await send(message)

        started = perf_counter()
        try:
            await self.app(scope, receive, send_with_id)
        except Exception:
            # After a 500 response, Starlette raises the exception again, which is already logged.
            # During any other response, the server must see it and close the connection.
            if statuses != [500]:
                raise
        finally:
            seconds = perf_counter() - started
            status = statuses[0] if statuses else None
            if self.count:
                self.count(scope, status, seconds)
            self.log.info(
                "request",
                method=scope["method"],
                path=scope["path"],
                route=route_template(scope),
                status=status,
                milliseconds=round(seconds * 1000, 1),
            )
