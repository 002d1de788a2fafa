"""Uvicorn's HTTP and WebSocket protocols, with limits and problem documents.

Uvicorn has no time limit for receiving a request, and no size limit for headers and trailers. The
application is only called when the headers are complete, and limits the size of the body.
"""

from asyncio import BaseTransport, TimerHandle, Transport
from http import HTTPStatus
from typing import Any, ClassVar, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Response
from websockets.server import ServerProtocol

from app.kit.errors.handlers import problem_response, response_from_problem
from app.kit.errors.problems import Problem, status_title
from app.kit.http.middleware.request_limits import HEADERS_LIMIT, HeadersTooLarge, RequestTimeout
from app.kit.http.settings import HttpSettings

# For an application without settings.
_USUAL = HttpSettings()
# Seconds to wait at shutdown for requests that are already on the network.
RESPONSE_DELIVERY_TIME = 0.5


class Malformed(Problem):
    """The server cannot parse the request."""

    status = HTTPStatus.BAD_REQUEST
    headers: ClassVar[dict[str, str]] = {"Connection": "close"}


class HttpProtocol(HttpToolsProtocol):
    """Closes a connection if a request is too large, or takes too long to arrive."""

    in_headers = False
    received = 0  # bytes since the last headers or part of a body
    asked = False  # whether a request arrived since the last check
    next_look: TimerHandle
    ends = False  # whether to close the connection after the next response

    def connection_made(self, transport: BaseTransport) -> None:
        """Start the timer of the connection."""
        super().connection_made(cast("Transport", transport))
        self._look_later()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer."""
        self.next_look.cancel()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Start counting the bytes of the headers."""
        super().on_message_begin()
        self.in_headers, self.received = True, 0

    def on_headers_complete(self) -> None:
        """Call the application, which checks the size of the headers."""
        self.in_headers, self.received, self.asked = False, 0, True
        super().on_headers_complete()
        if self.ends and self.cycle:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """Pass a part of the body to the application, which checks its size."""
        self.received = 0
        super().on_body(body)

    def data_received(self, data: bytes) -> None:
        """Parse received data."""
        self.received += len(data)
        super().data_received(data)
        if self.received > HEADERS_LIMIT:
            self._cut_off(HeadersTooLarge())

    def shutdown(self) -> None:
        """Close the connection after the next response, or after half a second without a request.

        Closing it immediately would reset a connection with a request that is not read yet.
        """
        if self._is_answering or self.ends:
            super().shutdown()
        else:
            self.ends = True
            self.loop.call_later(RESPONSE_DELIVERY_TIME, self.shutdown)

    def send_400_response(self, msg: str) -> None:
        """Respond to malformed HTTP with a problem document, and close the connection."""
        if self._is_answering and (self.cycle.response_started or not self.cycle.more_body):
            # Finish the response to the earlier request first.
            self.cycle.keep_alive = False
            return
        self._write(Malformed("The request is not valid HTTP."))
        self.transport.close()

    @property
    def _is_answering(self) -> bool:
        return bool(self.cycle and not self.cycle.response_complete)

    def _look_later(self) -> None:
        # One timer per connection costs less than one per request.
        http: HttpSettings = getattr(self.config.app, "http", _USUAL)
        self.next_look = self.loop.call_later(http.time_limit, self._look)
        self.asked = False

    def _look(self) -> None:
        if self.transport.get_protocol() is not self:
            return  # upgraded to a WebSocket
        if self.asked or self._is_answering:
            self._look_later()
        else:
            self._cut_off(RequestTimeout("The request did not arrive in time."))

    def _cut_off(self, problem: Problem) -> None:
        # Do not write into the response to an earlier request.
        if self.in_headers and not self._is_answering:
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
            output = b"".join(self.conn.data_to_send()) or response.serialize()
            self.transport.write(output)
            self.transport.close()
