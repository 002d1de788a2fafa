"""What is too large or takes too long is cut, and leaves nothing behind."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from httpx2 import AsyncClient
from sqlalchemy import URL, text

from app.kit.application import Application
from app.kit.db.session import Database, SessionDep
from app.kit.http.admission import HEADERS_LIMIT
from app.kit.http.settings import HttpSettings
from app.main import create_app
from app.settings import Settings
from tests.rig.app import client_of, running
from tests.rig.database import settings_for, settings_with

LIMIT = 1000
JSON = {"Content-Type": "application/json"}


def taking(**http: object) -> Application:
    """An application that answers with the length of the text it was sent."""
    limits = HttpSettings.model_validate({"body_limit": LIMIT, **http})
    app = Application(http=limits, places=1)

    @app.post("/kit/text")
    async def length(body: str) -> int:
        return len(body)

    @app.put("/kit/text")
    async def parts(body: list[str]) -> int:
        return sum(map(len, body))

    return app


async def in_parts(*parts: bytes) -> AsyncGenerator[bytes]:
    for part in parts:
        yield part


@pytest.mark.parametrize("room", [0, 1])
async def test_a_body_is_as_large_as_the_limit_and_not_a_byte_larger(room: int) -> None:
    body = b'["' + b"x" * (LIMIT - 4 - room + 1) + b'"]'
    async with client_of(taking()) as client:
        announced = await client.put("/kit/text", content=body, headers=JSON)
        counted = await client.put(
            "/kit/text", content=in_parts(body[:600], body[600:]), headers=JSON
        )
    for answer in (announced, counted):
        assert answer.status_code == (200 if room else 413)
    if not room:
        assert announced.headers["content-type"] == "application/problem+json"
        assert announced.json()["detail"] == "The body of a request is limited to 1000 bytes."


@pytest.mark.parametrize(("more", "status"), [(0, 200), (1, 431)])
async def test_headers_are_as_large_as_the_limit_and_not_a_byte_larger(
    more: int, status: int
) -> None:
    async with client_of(taking()) as client:
        request = client.build_request("PUT", "/kit/text", json=["it"], headers={"X-Kit": ""})
        separators = len(": \r\n") * len(request.headers)
        sent = sum(len(name) + len(value) for name, value in request.headers.raw) + separators
        request.headers["X-Kit"] = "x" * (HEADERS_LIMIT - sent + more)
        answer = await client.send(request)
    assert answer.status_code == status
    if more:
        assert answer.headers["content-type"] == "application/problem+json"
        assert "at most 65536 bytes" in answer.json()["detail"]


class Slow:
    """A client that sends a part of its request and then keeps silent."""

    def __init__(self, *headers: tuple[bytes, bytes]) -> None:
        self.headers = [(b"content-type", b"application/json"), *headers]
        self.begun = asyncio.Event()
        self.asked = 0
        self.status: int | None = None
        self.sent: dict[bytes, bytes] = {}

    async def receive(self) -> dict[str, Any]:
        self.asked += 1
        if self.asked > 1:
            self.begun.set()
            await asyncio.Event().wait()
        return {"type": "http.request", "body": b'["', "more_body": True}

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.sent = dict(message["headers"])

    async def call(self, app: FastAPI) -> None:
        scope = {"type": "http", "http_version": "1.1", "method": "PUT", "path": "/kit/text"}
        whole = {**scope, "query_string": b"", "headers": self.headers}
        await app(whole, self.receive, self.send)


async def test_a_body_that_is_announced_as_too_large_is_not_even_received() -> None:
    client = Slow((b"content-length", b"1001"))
    await client.call(taking())
    assert (client.status, client.asked) == (413, 0)


async def test_who_sends_slowly_holds_no_place_and_is_given_up() -> None:
    app, slow = taking(time_limit=0.1), Slow()
    async with client_of(app) as client, asyncio.TaskGroup() as tasks:
        tasks.create_task(slow.call(app))
        await slow.begun.wait()
        answer = await client.put("/kit/text", json=["in time"])
        assert (answer.status_code, slow.status) == (200, None)
    assert slow.status == 408
    assert slow.sent[b"connection"] == b"close"


def with_work(settings: Settings) -> FastAPI:
    """The service with a route that writes a row and then takes its time."""
    app = create_app(settings)

    @app.post("/kit/rows")
    async def work(session: SessionDep, seconds: float = 0) -> None:
        await session.execute(text("INSERT INTO kit_rows VALUES (1)"))
        await session.execute(text("SELECT pg_sleep(:seconds)"), {"seconds": seconds})

    return app


async def slow_then_quick(app: FastAPI, client: AsyncClient) -> tuple[int, str | None]:
    """How many rows there are after a request that was cut, and one that was not.

    And when the first was told to come back.
    """
    database: Database = app.state.database
    async with database.transaction() as session:
        await session.execute(text("CREATE TABLE kit_rows (value int)"))
    cut = await client.post("/kit/rows", params={"seconds": 30})
    assert cut.status_code == 503
    # With a pool of one, it is the same connection or its successor.
    assert (await client.post("/kit/rows")).status_code == 200
    async with database.reading() as session:
        rows: int = (await session.execute(text("SELECT count(*) FROM kit_rows"))).scalar_one()
    return rows, cut.headers.get("Retry-After")


async def test_work_that_takes_too_long_is_undone_and_its_connection_comes_back(
    own_database_url: URL,
) -> None:
    settings = settings_with(own_database_url, pool_size=1, max_overflow=0, pool_timeout=2)
    limited = settings.model_copy(update={"http": HttpSettings(time_limit=0.3)})
    async with running(with_work(limited)) as app, client_of(app) as client:
        # Nobody can tell how far it came.
        assert await slow_then_quick(app, client) == (1, None)


async def test_a_slow_statement_is_cut_by_the_database(direct_url: URL) -> None:
    settings = settings_with(
        direct_url, pooler="none", pool_size=1, max_overflow=0, statement_timeout=0.2
    )
    async with running(with_work(settings)) as app, client_of(app) as client:
        assert await slow_then_quick(app, client) == (1, "1")


async def test_an_answer_that_has_begun_may_take_its_time(own_database_url: URL) -> None:
    limited = settings_for(own_database_url).model_copy(
        update={"http": HttpSettings(time_limit=0.05)}
    )
    app = create_app(limited)

    @app.get("/kit/stream")
    async def stream() -> StreamingResponse:
        async def parts() -> AsyncGenerator[str]:
            yield "first, "
            await asyncio.sleep(0.1)
            yield "last"

        return StreamingResponse(parts())

    async with client_of(app) as client:
        assert (await client.get("/kit/stream")).text == "first, last"


def test_the_document_tells_what_may_be_wrong_with_a_body() -> None:
    document = taking().openapi()
    for method, told in {"put": {"408", "413"}, "post": set[str]()}.items():
        responses = document["paths"]["/kit/text"][method]["responses"]
        assert responses.keys() & {"408", "413"} == told
        for status in told:
            assert responses[status]["content"].keys() == {"application/problem+json"}
