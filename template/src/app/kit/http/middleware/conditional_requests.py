"""HEAD and conditional GET, for every route. FastAPI's GET routes do not accept HEAD."""

import re
from asyncio import Event
from collections.abc import Callable
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.kit.http.asgi import READING, ROOT, header

_TAG = re.compile(r'"[^"]*"')
# Headers of a body, which a 304 response does not have.
_BODY_HEADERS = frozenset({b"content-length", b"content-type"})


class ConditionalRequestsMiddleware:
    """Handles HEAD like GET, and `If-None-Match` with 304.

    It must be the innermost middleware, because it passes HEAD to the application as GET.
    """

    def __init__(self, app: ASGIApp, serves_head_by_get: Callable[[Scope], bool]) -> None:
        self.app = app
        self.serves_head_by_get = serves_head_by_get

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request. Other scopes than HTTP pass through."""
        if scope["type"] == "http":
            scope[ROOT] = scope.get("root_path", "")
            if scope["method"] in READING:
                send = _conditional(scope, send)
            if scope["method"] == "HEAD" and self.serves_head_by_get(scope):
                await self._head(scope, receive, send)
                return
        await self.app(scope, receive, send)

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
            await self.app(inner, receive_once, send_headers)
        finally:
            # Copy the route to the original scope, for the log and the metrics.
            scope.update({**inner, "method": "HEAD"})


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
            tags = _TAG.findall(header(message, b"etag"))
            unchanged = bool(tags) and (condition.strip() == "*" or not known.isdisjoint(tags))
            if unchanged:
                kept = [pair for pair in message["headers"] if pair[0] not in _BODY_HEADERS]
                message = {**message, "status": int(HTTPStatus.NOT_MODIFIED), "headers": kept}
        elif unchanged and message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return send_if_changed
