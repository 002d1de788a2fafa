"""WebSocket handshakes, accepted and rejected, over a TCP socket."""

import asyncio
import json
import re
import socket
from collections.abc import AsyncGenerator

import pytest
import uvicorn
from sqlalchemy import text
from starlette.websockets import WebSocket
from websockets.asyncio.client import connect

from app.kit.db.session import Database
from app.kit.http.application import Application
from app.kit.http.dependencies import DatabaseDep, ReadSessionDep, SessionDep
from app.kit.http.uvicorn_protocol import HttpProtocol, WebSocketProtocol

UPGRADE = "Connection: Upgrade\r\nUpgrade: websocket\r\n"
KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
VERSION = "Sec-WebSocket-Version: 13\r\n"


@pytest.fixture
async def port(database: Database) -> AsyncGenerator[int]:
    app = Application()
    app.state.database = database

    @app.websocket("/talk")
    async def talk(web_socket: WebSocket) -> None:
        await web_socket.accept()
        await web_socket.close()

    @app.websocket("/broken")
    async def fail(web_socket: WebSocket) -> None:
        raise RuntimeError

    @app.websocket("/rows")
    async def send_rows(
        web_socket: WebSocket, db: DatabaseDep, session: SessionDep, read_session: ReadSessionDep
    ) -> None:
        await web_socket.accept()
        async with db.reading() as reading:
            for number, each in enumerate((reading, session, read_session)):
                found = await each.scalar(
                    text("SELECT CAST(:number AS integer)"), {"number": number}
                )
                await web_socket.send_json(found)
        await web_socket.close()

    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, lifespan="off", log_config=None, http=HttpProtocol, ws=WebSocketProtocol
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve([listening]))
    yield listening.getsockname()[1]
    server.should_exit = True
    await serving


async def send(port: int, path: str, headers: str, method: str = "GET") -> tuple[str, bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"{method} {path} HTTP/1.1\r\nHost: test\r\n{headers}\r\n".encode())
    async with asyncio.timeout(5):
        head = await reader.readuntil(b"\r\n\r\n")
        body = b"" if b" 101 " in head else await reader.read()
    writer.close()
    return head.decode().lower(), body


async def test_valid_handshake_is_accepted(port: int) -> None:
    head, _ = await send(port, "/talk", UPGRADE + KEY + VERSION)
    assert head.startswith("http/1.1 101 ")


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/talk", UPGRADE + VERSION, 400),
        ("GET", "/talk", UPGRADE + KEY, 400),
        ("GET", "/talk", UPGRADE + KEY + "Sec-WebSocket-Version: 12\r\n", 400),
        ("POST", "/talk", UPGRADE + KEY + VERSION, 405),
        ("GET", "/talk", UPGRADE + KEY + VERSION + "Content-Length: 3\r\n\r\nabc", 400),
        ("GET", "/talk", UPGRADE + KEY + VERSION + "X: 1\r\n" * 200, 431),
        ("GET", "/talk", UPGRADE + KEY + VERSION + f"X: {'x' * 20_000}\r\n", 431),
        ("GET", f"/talk?{'x' * 20_000}", UPGRADE + KEY + VERSION, 414),
        ("GET", "/broken", UPGRADE + KEY + VERSION, 500),
        ("GET", "/nowhere", UPGRADE + KEY + VERSION, 403),
    ],
)
async def test_rejected_handshake_is_a_problem_document(
    port: int, method: str, path: str, headers: str, status: int
) -> None:
    head, body = await send(port, path, headers, method)

    assert head.startswith(f"http/1.1 {status} ")
    assert "content-type: application/problem+json" in head
    assert head.count("content-length:") == 1
    assert f"content-length: {len(body)}\r\n" in head
    assert json.loads(body)["status"] == status


async def test_response_to_handshake_has_request_id(port: int) -> None:
    with_request_id = f"{UPGRADE}{KEY}{VERSION}X-Request-ID: order-42\r\n"

    rejected, body = await send(port, "/nowhere", with_request_id)
    accepted, _ = await send(port, "/talk", with_request_id)
    generated, _ = await send(port, "/nowhere", UPGRADE + KEY + VERSION)

    assert "x-request-id: order-42\r\n" in rejected
    assert json.loads(body)["request_id"] == "order-42"
    assert "x-request-id: order-42\r\n" in accepted
    assert re.search(r"x-request-id: [0-9a-f]{32}\r\n", generated)


async def test_web_socket_can_use_the_database(port: int) -> None:
    async with connect(f"ws://127.0.0.1:{port}/rows") as web_socket:
        assert [json.loads(each) async for each in web_socket] == [0, 1, 2]
