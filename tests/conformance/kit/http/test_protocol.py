"""Incomplete and malformed HTTP requests time out or are rejected."""

import asyncio
import socket
from collections.abc import AsyncGenerator

import pytest
import uvicorn
from fastapi.responses import StreamingResponse

from app.kit.http.application import Application
from app.kit.http.settings import HttpSettings
from app.kit.http.uvicorn_protocol import HttpProtocol, WebSocketProtocol

LIMIT = 0.2
REQUEST_HEAD = b"GET /kit/slow HTTP/1.1\r\nHost: kit\r\n"
END = b"\r\n"


async def parts() -> AsyncGenerator[str]:
    for number in range(4):
        await asyncio.sleep(LIMIT)
        yield f"part {number} "


@pytest.fixture
def listening() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


@pytest.fixture
async def server(listening: socket.socket) -> AsyncGenerator[uvicorn.Server]:
    """A server with a short time limit, and an endpoint that takes longer than it."""
    app = Application(http=HttpSettings(time_limit=LIMIT))

    @app.get("/kit/slow")
    async def slow() -> StreamingResponse:
        return StreamingResponse(parts())

    config = uvicorn.Config(
        app, lifespan="off", log_config=None, http=HttpProtocol, ws=WebSocketProtocol
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve([listening]))
    yield server
    server.should_exit = True
    await serving


@pytest.fixture
def port(listening: socket.socket, server: uvicorn.Server) -> int:
    """The port of the server."""
    number: int = listening.getsockname()[1]
    return number


async def send_slowly(port: int, *sent: bytes) -> bytes:
    """Send parts of a request slowly; return everything received until the connection closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for part in sent:
        writer.write(part)
        await asyncio.sleep(LIMIT / 2)
    async with asyncio.timeout(10 * LIMIT):
        response = await reader.read()
    writer.close()
    return response


async def test_incomplete_headers_time_out_with_408(port: int) -> None:
    head, _, body = (await send_slowly(port, REQUEST_HEAD, b"X-Kit: slow\r\n")).partition(
        b"\r\n\r\n"
    )
    assert head.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert b"application/problem+json" in head
    assert b"did not arrive in time" in body


@pytest.mark.parametrize("sent", [[], [b"\r\n"]])
async def test_connection_without_request_is_closed(port: int, sent: list[bytes]) -> None:
    assert await send_slowly(port, *sent) == b""


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01",
        b"GET http://[ HTTP/1.1\r\nHost: kit\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"POST /kit/slow HTTP/1.1\r\nHost: kit\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    ],
)
async def test_malformed_request_is_a_problem_document(port: int, sent: bytes) -> None:
    head, _, body = (await send_slowly(port, sent)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"application/problem+json" in head
    assert b"not valid HTTP" in body


async def test_head_of_stream_ends_after_the_headers(port: int) -> None:
    close = b"Connection: close\r\n"
    head = b"HEAD /kit/slow HTTP/1.1\r\nHost: kit\r\n"
    # The connection is kept alive for a second request, and neither waits for the stream.
    response = await send_slowly(port, head + END + head + close + END)
    assert response.count(b"HTTP/1.1 200 OK\r\n") == 2
    assert b"part" not in response


async def test_malformed_request_does_not_interrupt_previous_response(port: int) -> None:
    response = await send_slowly(port, REQUEST_HEAD + END + b"nonsense\r\n\r\n")
    assert response.startswith(b"HTTP/1.1 200 OK")
    assert b"part 3" in response


async def test_malformed_body_does_not_interrupt_previous_response(port: int) -> None:
    malformed = b"POST /kit HTTP/1.1\r\nHost: kit\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"
    response = await send_slowly(port, REQUEST_HEAD + END + malformed)
    first, _, second = response.partition(b"\r\n0\r\n\r\n")
    assert first.startswith(b"HTTP/1.1 200 OK")
    assert b"part 3" in first
    assert b"HTTP/1.1 4" not in first
    assert second.startswith(b"HTTP/1.1 408 Request Timeout\r\n")


async def test_response_may_take_longer_than_the_time_limit(port: int) -> None:
    # The second request is incomplete.
    response = await send_slowly(port, REQUEST_HEAD + END + REQUEST_HEAD)
    assert response.startswith(b"HTTP/1.1 200 OK")
    assert b"part 3" in response
    assert b"HTTP/1.1 408 Request Timeout" in response


async def test_request_received_during_shutdown_gets_a_response(
    server: uvicorn.Server, port: int
) -> None:
    active, idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
    for reader, writer in (active, idle):
        writer.write(b"GET /kit HTTP/1.1\r\nHost: kit\r\nContent-Length: 0\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 404 ")
    server.should_exit = True
    async with asyncio.timeout(5):
        await wait_for_shutdown(server)
        reader, writer = active
        writer.write(REQUEST_HEAD + END)
        received = await reader.read()
        # No request was sent on this connection, so the server closes it.
        assert b"HTTP/1.1" not in await idle[0].read()
    assert b"HTTP/1.1 200 OK" in received
    assert b"part 3" in received
    for _, writer in (active, idle):
        writer.close()


async def wait_for_shutdown(server: uvicorn.Server) -> None:
    while True:
        if not server.servers[0].is_serving():
            return
        await asyncio.sleep(0.01)


async def test_pipelined_requests_are_not_read_ahead(port: int, server: uvicorn.Server) -> None:
    """A client that pipelines requests must not fill the memory."""
    count = 40_000
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /kit HTTP/1.1\r\nHost: kit\r\n\r\n" * count)
    waiting = 0
    for _ in range(20):
        await asyncio.sleep(LIMIT / 20)
        for connection in server.server_state.connections:
            assert isinstance(connection, HttpProtocol)
            waiting = max(waiting, len(connection.pipeline))
    writer.transport.abort()
    assert 0 < waiting < count / 2


async def test_pipelined_requests_are_all_answered(port: int) -> None:
    count = 900  # more than the server reads at once
    sent = b"".join(
        b"GET /kit/%d HTTP/1.1\r\nHost: kit\r\n%s\r\n" % (each, b"X-A: b\r\n" * 30)
        for each in range(count)
    )
    last = b"GET /kit/last HTTP/1.1\r\nHost: kit\r\nConnection: close\r\n\r\n"
    response = await send_slowly(port, sent, last)
    assert response.count(b"HTTP/1.1 404") == count + 1
