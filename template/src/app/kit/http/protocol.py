"""HTTP as uvicorn reads it, with an end to the headers of a request, and to what follows its body.

The application is asked when the last of its headers has come, and bounds the body. All that comes
beside is kept here, and was kept without end.
"""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.kit.handlers import answer
from app.kit.http.admission import HEADERS_LIMIT, HeadersTooLarge


class HttpProtocol(HttpToolsProtocol):
    """Cuts off who sends more than may be sent, and does not come to the end."""

    in_headers = False
    received = 0  # bytes since there was something for the application

    def on_message_begin(self) -> None:
        """Begin to count, with what is read next."""
        super().on_message_begin()
        self.in_headers, self.received = True, 0

    def on_headers_complete(self) -> None:
        """Leave it to the application whether that was too much."""
        self.in_headers, self.received = False, 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Leave it to the application, likewise."""
        self.received = 0
        super().on_body(body)

    def data_received(self, data: bytes) -> None:
        """Read what has come."""
        self.received += len(data)
        super().data_received(data)
        if self.received > HEADERS_LIMIT:
            self._cut_off()

    def _cut_off(self) -> None:
        # Not in place of the answer to a request that came before.
        if self.in_headers and not (self.cycle and not self.cycle.response_complete):
            problem = HeadersTooLarge()
            refusal = answer(problem)
            lines = [b"HTTP/1.1 %d %s" % (problem.status, problem.status.phrase.encode())]
            lines += [b"%s: %s" % header for header in refusal.raw_headers]
            self.transport.write(b"\r\n".join([*lines, b"", bytes(refusal.body)]))
        self.transport.close()
