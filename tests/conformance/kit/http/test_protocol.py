"""A client that does not come to the end of its headers is not waited for without end."""

import asyncio
import socket
from collections.abc import AsyncGenerator

import pytest
import uvicorn
from fastapi.responses import StreamingResponse

from app.kit.application import Application
from app.kit.http.protocol import HttpProtocol, WebSocketProtocol
from app.kit.http.settings import HttpSettings

LIMIT = 0.2
ASKED = b"GET /kit/slow HTTP/1.1\r\nHost: kit\r\n"
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
    """A service that waits so long, and has an answer that takes longer."""
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
    """Where the service listens."""
    number: int = listening.getsockname()[1]
    return number


async def answered(port: int, *sent: bytes) -> bytes:
    """What comes to parts of a request that come slowly, until the connection ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for part in sent:
        writer.write(part)
        await asyncio.sleep(LIMIT / 2)
    async with asyncio.timeout(10 * LIMIT):
        answer = await reader.read()
    writer.close()
    return answer


async def test_headers_that_do_not_come_in_time_are_a_problem(port: int) -> None:
    head, _, body = (await answered(port, ASKED, b"X-Kit: slow\r\n")).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert b"application/problem+json" in head
    assert b"did not arrive in time" in body


@pytest.mark.parametrize("sent", [[], [b"\r\n"]])
async def test_who_says_nothing_is_hung_up_on(port: int, sent: list[bytes]) -> None:
    assert await answered(port, *sent) == b""


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01",
        b"GET http://[ HTTP/1.1\r\nHost: kit\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"POST /kit/slow HTTP/1.1\r\nHost: kit\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    ],
)
async def test_malformed_request_is_problem_document(port: int, sent: bytes) -> None:
    head, _, body = (await answered(port, sent)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"application/problem+json" in head
    assert b"not valid HTTP" in body


async def test_head_of_stream_ends_with_its_headers(port: int) -> None:
    close = b"Connection: close\r\n"
    head = b"HEAD /kit/slow HTTP/1.1\r\nHost: kit\r\n"
    # The connection serves another request, and the server takes its time for neither.
    response = await answered(port, head + END + head + close + END)
    assert response.count(b"HTTP/1.1 200 OK\r\n") == 2
    assert b"part" not in response


async def test_malformed_request_does_not_interrupt_response_before_it(port: int) -> None:
    response = await answered(port, ASKED + END + b"nonsense\r\n\r\n")
    assert response.startswith(b"HTTP/1.1 200 OK")
    assert b"part 3" in response


async def test_an_answer_is_waited_for_as_long_as_it_takes(port: int) -> None:
    # Another request has begun, which nobody ends.
    answer = await answered(port, ASKED + END + ASKED)
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b"part 3" in answer
    assert b"HTTP/1.1 408 Request Timeout" in answer


async def test_a_request_on_its_way_to_a_service_that_ends_is_answered(
    server: uvicorn.Server, port: int
) -> None:
    asks, other = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
    for reader, writer in (asks, other):
        writer.write(b"GET /kit HTTP/1.1\r\nHost: kit\r\nContent-Length: 0\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 404 ")
    server.should_exit = True
    async with asyncio.timeout(5):
        await until_it_ends(server)
        reader, writer = asks
        writer.write(ASKED + END)
        answers = await reader.read()
        # Nobody asks here, and it ends as well.
        assert b"HTTP/1.1" not in await other[0].read()
    assert b"HTTP/1.1 200 OK" in answers
    assert b"part 3" in answers
    for _, writer in (asks, other):
        writer.close()


async def until_it_ends(server: uvicorn.Server) -> None:
    while True:
        if not server.servers[0].is_serving():
            return
        await asyncio.sleep(0.01)
