"""Uvicorn's HTTP and WebSocket protocols, with limits and problem documents.

Uvicorn has no time limit for receiving a request, and no size limit for headers and trailers. The
application is only called when the headers are complete, and limits the size of the body.
"""

from asyncio import BaseTransport, TimerHandle, Transport
from collections.abc import Sized
from http import HTTPStatus
from typing import Any, ClassVar, cast

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Response
from websockets.server import ServerProtocol

from app.kit.errors.handlers import problem_response, response_from_problem
from app.kit.errors.problems import Problem, status_title
from app.kit.http.middleware.request_limits import (
    EVENT_STREAM,
    HEADERS_LIMIT,
    HeadersTooLarge,
    RequestTimeout,
)
from app.kit.http.settings import HttpSettings

# For an application without settings.
_DEFAULTS = HttpSettings()
# Seconds that an idle connection stays open after shutdown begins: a request may be on its way.
RESPONSE_DELIVERY_TIME = 0.5


class Malformed(Problem):
    """The server cannot parse the request."""

    status = HTTPStatus.BAD_REQUEST
    headers: ClassVar[dict[str, str]] = {"Connection": "close"}


class _FlowControl(FlowControl):
    pipeline: Sized = ()  # requests that wait for the response before theirs

    def resume_reading(self) -> None:
        # Uvicorn reads more after each response, so a client that pipelines could fill the memory.
        if not self.pipeline:
            super().resume_reading()


class HttpProtocol(HttpToolsProtocol):
    """Closes a connection if a request is too large, or takes too long to arrive."""

    _in_headers = False
    _received = 0  # bytes since the begin of the headers, their end, or the last part of a body
    _has_new_request = False  # since the last check of the timer
    _is_shutting_down = False
    _timer: TimerHandle

    def connection_made(self, transport: BaseTransport) -> None:
        """Start the timer of the connection."""
        super().connection_made(cast("Transport", transport))
        self.flow = flow = _FlowControl(self.transport)
        flow.pipeline = self.pipeline
        self._schedule_check()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer."""
        self._timer.cancel()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Start counting the bytes of the headers."""
        super().on_message_begin()
        self._in_headers, self._received = True, 0

    def on_headers_complete(self) -> None:
        """Call the application, which checks the size of the headers."""
        self._in_headers, self._received, self._has_new_request = False, 0, True
        super().on_headers_complete()
        if self._is_shutting_down and self.cycle:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """Pass a part of the body to the application, which checks its size."""
        self._received = 0
        super().on_body(body)

    def data_received(self, data: bytes) -> None:
        """Parse received data."""
        self._received += len(data)
        super().data_received(data)
        if self._received > HEADERS_LIMIT:
            self._abort(HeadersTooLarge())

    def shutdown(self) -> None:
        """Close the connection after the next response, or after half a second without a request.

        Closing it immediately would reset a connection with a request that is not read yet. A
        stream of server-sent events is endless, so it ends at once; its client connects again.
        """
        if self._is_responding and EVENT_STREAM in self.cycle.scope:
            self.transport.write(b"0\r\n\r\n")
            self.transport.close()
            if self.transport.get_write_buffer_size():
                # The client does not read.
                self.transport.abort()
        elif self._is_responding or self._is_shutting_down:
            super().shutdown()
        self._is_shutting_down = True
        if not self.transport.is_closing():
            # Again, because a response may become a stream.
            self.loop.call_later(RESPONSE_DELIVERY_TIME, self.shutdown)

    def send_400_response(self, msg: str) -> None:
        """Respond to malformed HTTP with a problem document, and close the connection."""
        # Finish an earlier response first. Only a request with a malformed body and no response yet
        # gets the 400. With a pipeline, `cycle` is the newest request.
        if self.pipeline or (
            self._is_responding and (self.cycle.response_started or not self.cycle.more_body)
        ):
            self.cycle.keep_alive = False
            return
        self._write(Malformed("The request is not valid HTTP."))
        self.transport.close()

    @property
    def _is_responding(self) -> bool:
        return bool(self.cycle and not self.cycle.response_complete)

    def _schedule_check(self) -> None:
        # One timer per connection costs less than one per request.
        http: HttpSettings = getattr(self.config.app, "http", _DEFAULTS)
        self._timer = self.loop.call_later(http.time_limit, self._check)
        self._has_new_request = False

    def _check(self) -> None:
        if self.transport.get_protocol() is not self:
            return  # upgraded to a WebSocket
        if self._has_new_request or self._is_responding:
            self._schedule_check()
        else:
            self._abort(RequestTimeout("The request did not arrive in time."))

    def _abort(self, problem: Problem) -> None:
        # Do not write into the response to an earlier request.
        if self._in_headers and not self._is_responding:
            self._write(problem)
        self.transport.close()

    def _write(self, problem: Problem) -> None:
        response = response_from_problem(problem)
        lines = [b"HTTP/1.1 %d %s" % (problem.status, status_title(problem.status).encode())]
        lines += [b"%s: %s" % header for header in response.raw_headers]
        self.transport.write(b"\r\n".join([*lines, b"", bytes(response.body)]))


class _Handshake(ServerProtocol):
    def reject(self, status: HTTPStatus | int, text: str) -> Response:
        """Return a problem document for a handshake that is invalid or fails."""
        response = super().reject(status, text)
        problem = problem_response(int(status), text.strip())
        response.body = bytes(problem.body)
        for name, value in problem.headers.items():
            del response.headers[name]
            response.headers[name] = value
        return response


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """Responds to every rejected handshake, including malformed ones."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.conn = _Handshake(
            extensions=self.conn.available_extensions,
            max_size=self.config.ws_max_size,
            logger=self.logger,
        )

    def data_received(self, data: bytes) -> None:
        """Parse received data. Close the connection if the handshake is too long or has a body."""
        super().data_received(data)
        if self.conn.handshake_exc and not self.handshake_initiated:
            response = self.conn.reject(
                HTTPStatus.BAD_REQUEST,
                "Failed to open a WebSocket connection: the handshake is not valid.",
            )
            # websockets has prepared a response only if the handshake is too long.
            output = b"".join(self.conn.data_to_send()) or response.serialize()
            self.transport.write(output)
            self.transport.close()
