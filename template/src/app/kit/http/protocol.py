"""HTTP as uvicorn reads it, with an end to the headers of a request, and to what follows its body.

The application is asked when the last of its headers has come, and bounds the body. All that comes
beside is kept here, and was kept and waited for without end.
"""

from asyncio import BaseTransport, TimerHandle, Transport
from http import HTTPStatus
from typing import ClassVar, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.kit.errors import Problem, title_of
from app.kit.handlers import answer
from app.kit.http.admission import HEADERS_LIMIT, HeadersTooLarge, TooSlow
from app.kit.http.settings import HttpSettings

# Of an application that does not say.
_USUAL = HttpSettings()
# Seconds that a request may be on its way to a service that is told to end.
ON_ITS_WAY = 0.5


class Malformed(Problem):
    """The server cannot parse the request."""

    status = HTTPStatus.BAD_REQUEST
    headers: ClassVar[dict[str, str]] = {"Connection": "close"}


class HttpProtocol(HttpToolsProtocol):
    """Cuts off who sends more than may be sent, or takes too long, and does not come to the end."""

    in_headers = False
    received = 0  # bytes since there was something for the application
    asked = False  # whether there was, since the last look
    next_look: TimerHandle
    ends = False  # whether the connection does, with the next answer

    def connection_made(self, transport: BaseTransport) -> None:
        """Begin to look whether anything comes."""
        super().connection_made(cast("Transport", transport))
        self._look_later()

    def connection_lost(self, exc: Exception | None) -> None:
        """Look no more."""
        self.next_look.cancel()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Begin to count, with what is read next."""
        super().on_message_begin()
        self.in_headers, self.received = True, 0

    def on_headers_complete(self) -> None:
        """Leave it to the application whether that was too much."""
        self.in_headers, self.received, self.asked = False, 0, True
        super().on_headers_complete()
        if self.ends and self.cycle:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """Leave it to the application, likewise."""
        self.received = 0
        super().on_body(body)

    def data_received(self, data: bytes) -> None:
        """Read what has come."""
        self.received += len(data)
        super().data_received(data)
        if self.received > HEADERS_LIMIT:
            self._cut_off(HeadersTooLarge())

    def shutdown(self) -> None:
        """End with the next answer, or without where nobody asks.

        To close at once would reset a client whose request has come and is not read yet.
        """
        if self._is_answering or self.ends:
            super().shutdown()
        else:
            self.ends = True
            self.loop.call_later(ON_ITS_WAY, self.shutdown)

    def send_400_response(self, msg: str) -> None:
        """Respond with a problem document to what is not HTTP, and close the connection."""
        if self._is_answering and (self.cycle.response_started or not self.cycle.more_body):
            # The response is to an earlier request: finish it first.
            self.cycle.keep_alive = False
            return
        self._write(Malformed("The request is not valid HTTP."))
        self.transport.close()

    @property
    def _is_answering(self) -> bool:
        return bool(self.cycle and not self.cycle.response_complete)

    def _look_later(self) -> None:
        # One timer a connection: one a request would cost each of them.
        http: HttpSettings = getattr(self.config.app, "http", _USUAL)
        self.next_look = self.loop.call_later(http.time_limit, self._look)
        self.asked = False

    def _look(self) -> None:
        if self.transport.get_protocol() is not self:
            return  # it has become a web socket
        if self.asked or self._is_answering:
            self._look_later()
        else:
            self._cut_off(TooSlow("The request did not arrive in time."))

    def _cut_off(self, problem: Problem) -> None:
        # Not in place of the answer to a request that came before.
        if self.in_headers and not self._is_answering:
            self._write(problem)
        self.transport.close()

    def _write(self, problem: Problem) -> None:
        response = answer(problem)
        lines = [b"HTTP/1.1 %d %s" % (problem.status, title_of(problem.status).encode())]
        lines += [b"%s: %s" % header for header in response.raw_headers]
        self.transport.write(b"\r\n".join([*lines, b"", bytes(response.body)]))
