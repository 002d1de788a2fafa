"""Problem documents in place of errors in plain text or in FastAPI's JSON format."""

from http import HTTPStatus

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.kit.errors.handlers import handle_unexpected_error, problem_response
from app.kit.errors.problems import MAX_ERRORS, FieldProblem

_LONGEST_DETAIL = 1000  # bytes
# Longer bodies are not errors of FastAPI, and pass unchanged.
_LONGEST_ERROR = 1_000_000  # bytes
_PLAIN_TEXT = b"text/plain"
_REPLACED_TYPES = (_PLAIN_TEXT, b"application/json")
_BODY_HEADERS = frozenset({b"content-length", b"content-type"})
# The ASGI extension for a response to a rejected WebSocket handshake.
_DENIAL = "websocket.http.response"


class ProblemDocumentsMiddleware:
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
        held: Message | None = None
        body = b""

        async def send_problem(message: Message) -> None:
            nonlocal started, held, body
            if not started:
                started = True
                is_error = message["status"] >= HTTPStatus.BAD_REQUEST
                if is_error and _media_type(message) in _REPLACED_TYPES:
                    held = message
                    return
            if held is None:
                await send(message)
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
                await send(start)
                await send({**message, "body": body})
            elif scope["method"] == "HEAD":
                # Without the length: the response to GET may have another one.
                headers = [pair for pair in response.raw_headers if pair[0] != b"content-length"]
                await send({**start, "headers": headers})
                await send({"type": "http.response.body", "body": b""})
            else:
                await response(scope, receive, send)

        try:
            await self.app(scope, receive, send_problem)
        except Exception as error:
            if started and held is None:
                raise
            response = await handle_unexpected_error(Request(scope), error)
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


def _media_type(message: Message) -> bytes:
    kinds = [value for name, value in message.get("headers", ()) if name == b"content-type"]
    return kinds[0].partition(b";")[0] if kinds else _PLAIN_TEXT


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
            FieldProblem(field=".".join(map(str, each.loc)), message=each.msg)
            for each in (found if isinstance(found, list) else [])[:MAX_ERRORS]
        ]
    response = problem_response(start["status"], detail, errors)
    kept = [pair for pair in start.get("headers", ()) if pair[0] not in _BODY_HEADERS]
    response.raw_headers.extend(kept)
    return response
