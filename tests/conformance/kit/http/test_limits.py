"""Requests that are too large or too slow are rejected, and leave nothing behind."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from fastapi.sse import EventSourceResponse
from httpx2 import AsyncClient
from sqlalchemy import URL, text

from app.kit.db.session import Database
from app.kit.http.application import Application
from app.kit.http.dependencies import SessionDep
from app.kit.http.middleware.request_limits import HEADERS_LIMIT
from app.kit.http.settings import HttpSettings
from app.main import create_app
from app.settings import Settings
from tests.conformance.support.asgi import http_scope
from tests.support.app import client_of, running
from tests.support.database import settings_for, settings_with

LIMIT = 1000
JSON = {"Content-Type": "application/json"}


def application(**http: object) -> Application:
    """Return an application that responds with the length of the request's text."""
    limits = HttpSettings.model_validate({"body_limit": LIMIT, **http})
    app = Application(http=limits, concurrency_limit=1)

    @app.post("/kit/text")
    async def length(body: str) -> int:
        return len(body)

    @app.put("/kit/text")
    async def parts(body: list[str]) -> int:
        return sum(map(len, body))

    return app


async def slow_parts() -> AsyncGenerator[str]:
    yield "first, "
    await asyncio.sleep(0.4)
    yield "last"


async def in_parts(*parts: bytes) -> AsyncGenerator[bytes]:
    for part in parts:
        yield part


@pytest.mark.parametrize("spare_bytes", [0, 1])
async def test_body_size_limit_is_exact(spare_bytes: int) -> None:
    body = b'["' + b"x" * (LIMIT - 4 - spare_bytes + 1) + b'"]'
    async with client_of(application()) as client:
        declared = await client.put("/kit/text", content=body, headers=JSON)
        chunked = await client.put(
            "/kit/text", content=in_parts(body[:600], body[600:]), headers=JSON
        )
    for response in (declared, chunked):
        assert response.status_code == (200 if spare_bytes else 413)
    if not spare_bytes:
        assert declared.headers["content-type"] == "application/problem+json"
        assert declared.json()["detail"] == "The body of a request is limited to 1000 bytes."


@pytest.mark.parametrize(("more", "status"), [(0, 200), (1, 431)])
async def test_header_size_limit_is_exact(more: int, status: int) -> None:
    async with client_of(application()) as client:
        request = client.build_request("PUT", "/kit/text", json=["it"], headers={"X-Kit": ""})
        separators = len(": \r\n") * len(request.headers)
        sent = sum(len(name) + len(value) for name, value in request.headers.raw) + separators
        request.headers["X-Kit"] = "x" * (HEADERS_LIMIT - sent + more)
        response = await client.send(request)
    assert response.status_code == status
    if more:
        assert response.headers["content-type"] == "application/problem+json"
        assert "limited to 65536 bytes" in response.json()["detail"]


class Slow:
    """A client that sends a part of its request and then nothing."""

    def __init__(self, *headers: tuple[bytes, bytes]) -> None:
        self.headers = [(b"content-type", b"application/json"), *headers]
        self.started = asyncio.Event()
        self.receive_calls = 0
        self.status: int | None = None
        self.sent: dict[bytes, bytes] = {}

    async def receive(self) -> dict[str, Any]:
        self.receive_calls += 1
        if self.receive_calls > 1:
            self.started.set()
            await asyncio.Event().wait()
        return {"type": "http.request", "body": b'["', "more_body": True}

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.sent = dict(message["headers"])

    async def call(self, app: FastAPI) -> None:
        await app(http_scope("PUT", "/kit/text", *self.headers), self.receive, self.send)


async def test_declared_oversized_body_is_rejected_without_reading_it() -> None:
    client = Slow((b"content-length", b"1001"))
    await client.call(application())
    assert (client.status, client.receive_calls) == (413, 0)


async def test_slow_upload_uses_no_slot_and_times_out() -> None:
    app, slow = application(time_limit=0.1), Slow()
    async with client_of(app) as client, asyncio.TaskGroup() as tasks:
        tasks.create_task(slow.call(app))
        await slow.started.wait()
        response = await client.put("/kit/text", json=["in time"])
        assert (response.status_code, slow.status) == (200, None)
    assert slow.status == 408
    assert slow.sent[b"connection"] == b"close"


def with_work(settings: Settings) -> FastAPI:
    """Return the service with an endpoint that inserts a row and then sleeps."""
    app = create_app(settings)

    @app.post("/kit/rows")
    async def work(session: SessionDep, seconds: float = 0) -> None:
        await session.execute(text("INSERT INTO kit_rows VALUES (1)"))
        await session.execute(text("SELECT pg_sleep(:seconds)"), {"seconds": seconds})

    return app


async def slow_then_fast(app: FastAPI, client: AsyncClient) -> tuple[int, str | None]:
    """Send a slow request and then a fast one.

    Returns the number of stored rows, and the Retry-After header of the slow request.
    """
    database: Database = app.state.database
    async with database.transaction() as session:
        await session.execute(text("CREATE TABLE kit_rows (value int)"))
    timed_out = await client.post("/kit/rows", params={"seconds": 30})
    assert timed_out.status_code == 503
    # The pool has one connection: the same one or its replacement.
    assert (await client.post("/kit/rows")).status_code == 200
    async with database.reading() as session:
        rows: int = (await session.execute(text("SELECT count(*) FROM kit_rows"))).scalar_one()
    return rows, timed_out.headers.get("Retry-After")


async def test_request_over_time_limit_is_rolled_back_and_returns_its_connection(
    own_database_url: URL, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = settings_with(own_database_url, pool_size=1, max_overflow=0, pool_timeout=2)
    limited = settings.model_copy(update={"http": HttpSettings(time_limit=1)})
    async with running(with_work(limited)) as app, client_of(app) as client:
        # Retry-After is missing, because the work may have been partly done.
        assert await slow_then_fast(app, client) == (1, None)
    reason = '"reason": "The request took too long and was cancelled. The changes may or may not'
    assert capsys.readouterr().err.count(reason) == 1


async def test_cancelled_request_that_stored_nothing_may_be_retried() -> None:
    app = application(time_limit=0.2)

    @app.api_route("/kit/sleep", methods=["GET", "POST"])
    async def sleep() -> None:
        await asyncio.sleep(5)

    @app.get("/kit/streaming")
    async def stream() -> StreamingResponse:
        return StreamingResponse(slow_parts())

    async with client_of(app) as client:
        started = await client.post("/kit/sleep")
        reading = await client.get("/kit/sleep")
        # The streaming response keeps the only slot for longer than the time limit.
        _, queued = await asyncio.gather(client.get("/kit/streaming"), client.post("/kit/sleep"))

    responses = (started, reading, queued)
    assert [each.status_code for each in responses] == [503, 503, 503]
    assert [each.headers.get("Retry-After") for each in responses] == [None, "1", "1"]
    unknown = ["may or may not" in each.json()["detail"] for each in responses]
    assert unknown == [True, False, False]


async def test_slow_statement_is_cancelled_by_the_server(unpooled_url: URL) -> None:
    settings = settings_with(
        unpooled_url, pooler="none", pool_size=1, max_overflow=0, statement_timeout=0.2
    )
    async with running(with_work(settings)) as app, client_of(app) as client:
        assert await slow_then_fast(app, client) == (1, "1")


async def test_started_response_is_not_subject_to_the_time_limit(own_database_url: URL) -> None:
    limited = settings_for(own_database_url).model_copy(
        update={"http": HttpSettings(time_limit=0.2)}
    )
    app = create_app(limited)

    @app.get("/kit/http/streaming")
    async def stream() -> StreamingResponse:
        return StreamingResponse(slow_parts())

    async with client_of(app) as client:
        # The first request prepares the routes, which may take longer.
        await client.get("/kit/http/streaming")
        assert (await client.get("/kit/http/streaming")).text == "first, last"


async def test_event_stream_holds_no_slot() -> None:
    app, started, messages = application(wait_limit=0.2), asyncio.Event(), list[Any]()

    @app.get("/kit/text/events", response_class=EventSourceResponse)
    async def events() -> AsyncGenerator[str]:
        yield "first"
        await asyncio.Event().wait()

    async def receive() -> dict[str, Any]:
        if started.is_set():
            await asyncio.Event().wait()
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        messages.append(message)
        started.set()

    stream = asyncio.create_task(app(http_scope("GET", "/kit/text/events"), receive, send))
    await started.wait()
    assert messages[0]["status"] == 200
    async with client_of(app) as client:
        # The only slot is free, while the stream runs and after it ends.
        for _ in range(2):
            assert (await client.put("/kit/text", json=["it"])).status_code == 200
            stream.cancel()
            await asyncio.wait([stream])


def test_openapi_documents_408_and_413_for_bodies() -> None:
    schema = application().openapi()
    for method, expected in {"put": {"408", "413"}, "post": set[str]()}.items():
        responses = schema["paths"]["/kit/text"][method]["responses"]
        assert responses.keys() & {"408", "413"} == expected
        for status in expected:
            assert responses[status]["content"].keys() == {"application/problem+json"}
