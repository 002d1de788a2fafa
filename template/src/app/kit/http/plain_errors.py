"""Problem documents in place of the plain-text errors that libraries write."""

from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.kit.handlers import on_bug, problem_response

_LONGEST_DETAIL = 1000  # bytes
_OF_BODY = frozenset({b"content-length", b"content-type"})
# The extension by which a server lets an application refuse a WebSocket with a response.
_DENIAL = "websocket.http.response"


class PlainErrorsMiddleware:
    """Turns errors of middleware, files and WebSocket handshakes into problem documents."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request or WebSocket."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket" and _DENIAL in (scope.get("extensions") or {}):
            await self._websocket(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False
        plain: Message | None = None
        detail = b""

        async def send_problem(message: Message) -> None:
            nonlocal started, plain, detail
            if not started:
                started = True
                if message["status"] >= HTTPStatus.BAD_REQUEST and _is_plain(message):
                    plain = message
                    return
            if plain is None:
                await send(message)
                return
            detail = (detail + message.get("body", b""))[:_LONGEST_DETAIL]
            if not message.get("more_body"):
                await _problem(plain, detail)(scope, receive, send)

        try:
            await self.app(scope, receive, send_problem)
        except Exception as error:
            if started:
                raise
            response = await on_bug(Request(scope), error)
            await response(scope, receive, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        decided = False

        async def send_denial(message: Message) -> None:
            nonlocal decided
            if message["type"] == "websocket.close" and not decided:
                response = problem_response(
                    HTTPStatus.FORBIDDEN, "The WebSocket connection was rejected."
                )
                await response(scope, receive, send)
            else:
                await send(message)
            decided = True

        await self.app(scope, receive, send_denial)


def _is_plain(message: Message) -> bool:
    kinds = [value for name, value in message.get("headers", ()) if name == b"content-type"]
    return not kinds or kinds[0].startswith(b"text/plain")


def _problem(plain: Message, detail: bytes) -> Response:
    response = problem_response(plain["status"], detail.decode(errors="replace"))
    kept = [pair for pair in plain.get("headers", ()) if pair[0] not in _OF_BODY]
    response.raw_headers.extend(kept)
    return response
