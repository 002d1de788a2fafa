"""A name for each request, in its logs, its errors and its response."""

import re
from collections.abc import Callable
from secrets import token_hex
from time import perf_counter

import structlog
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.kit.http.headers import header
from app.kit.http.route import route_of

HEADER = "X-Request-ID"
_NAME = HEADER.lower().encode()
# A caller's own id is kept only where it cannot break a log line or a header.
_ACCEPTABLE = re.compile(r"[A-Za-z0-9._-]{1,128}")
# In a scope.
_HAS_ID = "app.has_request_id"
_log = structlog.get_logger("app.access")


class RequestIdMiddleware:
    """Binds the id of the request to the logs and writes one line when it is answered."""

    def __init__(
        self, app: ASGIApp, count: Callable[[Scope, int | None, float], None] | None = None
    ) -> None:
        self.app = app
        self.count = count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request; anything that is not HTTP passes through."""
        # An application may be mounted in another one, which has given the request its id.
        if scope["type"] != "http" or _HAS_ID in scope:
            await self.app(scope, receive, send)
            return
        scope[_HAS_ID] = True
        given = header(scope, _NAME)
        request_id = given if _ACCEPTABLE.fullmatch(given) else token_hex(16)
        statuses: list[int] = []

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                # A member of HTTPStatus would be written with its name.
                statuses.append(int(message["status"]))
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        started = perf_counter()
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self.app(scope, receive, send_named)
            except Exception:
                # Starlette raises a bug again after it was logged and answered. One that comes
                # later, in the middle of a stream, has to break the connection.
                if statuses != [500]:
                    raise
            finally:
                seconds = perf_counter() - started
                if self.count:
                    self.count(scope, statuses[0] if statuses else None, seconds)
                _log.info(
                    "request",
                    method=scope["method"],
                    path=scope["path"],
                    route=route_of(scope),
                    status=statuses[0] if statuses else None,
                    milliseconds=round(seconds * 1000, 1),
                )
