"""WebSockets as uvicorn accepts them, with problem documents for handshakes that are rejected."""

from http import HTTPStatus
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Response
from websockets.server import ServerProtocol

from app.kit.handlers import problem_response


class _Handshake(ServerProtocol):
    def reject(self, status: HTTPStatus | int, text: str) -> Response:
        """Build the response to a handshake that is not valid, or that fails."""
        response = super().reject(status, text)
        problem = problem_response(int(status), text.strip())
        response.body = bytes(problem.body)
        for name, value in problem.headers.items():
            del response.headers[name]
            response.headers[name] = value
        return response


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """Responds to every rejected handshake, also to one that the library cannot parse."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.conn = _Handshake(
            extensions=self.conn.available_extensions,
            max_size=self.config.ws_max_size,
            logger=self.logger,
        )

    def data_received(self, data: bytes) -> None:
        """Read what has come, and end a connection whose handshake is too long or has a body."""
        super().data_received(data)
        if self.conn.handshake_exc and not self.handshake_initiated:
            response = self.conn.reject(
                HTTPStatus.BAD_REQUEST,
                "Failed to open a WebSocket connection: the handshake is not valid.",
            )
            output = b"".join(self.conn.data_to_send()) or response.serialize()
            self.transport.write(output)
            self.transport.close()
