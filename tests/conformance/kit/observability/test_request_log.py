"""Every request has a request id and one log event."""

import logging
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from httpx2 import AsyncClient
from structlog.stdlib import ProcessorFormatter

from tests.conformance.conftest import ReadLog


async def test_request_id_of_client_is_kept(client: AsyncClient) -> None:
    response = await client.get("/health/live", headers={"X-Request-ID": "order-42"})
    assert response.headers["X-Request-ID"] == "order-42"


@pytest.mark.parametrize("request_id", [b"", b"two words", b"x" * 129, "äö".encode()])
async def test_unsafe_request_id_is_replaced(client: AsyncClient, request_id: bytes) -> None:
    response = await client.get("/health/live", headers={b"X-Request-ID": request_id})
    assert len(response.headers["X-Request-ID"]) == 32


async def test_request_is_logged_as_one_json_line(
    committing_client: AsyncClient, read_log: ReadLog
) -> None:
    await committing_client.get("/health/live", headers={"X-Request-ID": "abc"})
    (line,) = [line for line in read_log() if line["logger"] == "app.access"]
    assert line["request_id"] == "abc"
    assert (line["method"], line["path"], line["status"]) == ("GET", "/health/live", 200)
    assert line["route"] == "/health/live"
    assert line["milliseconds"] >= 0


async def test_log_event_contains_the_full_route_template(
    own_app: FastAPI, committing_client: AsyncClient, read_log: ReadLog
) -> None:
    things = APIRouter(prefix="/things")

    @things.get("/{number}")
    async def thing(number: int) -> int:
        return number

    own_app.include_router(things, prefix="/kit")
    for path in ["/kit/things/7", "/kit/things/seven", "/kit/nothing"]:
        await committing_client.get(path)
    lines = [line for line in read_log() if line["logger"] == "app.access"]
    declared = "/kit/things/{number}"
    assert [(line["route"], line["status"]) for line in lines] == [
        (declared, 200),
        (declared, 422),
        (None, 404),
    ]


async def test_status_is_logged_as_a_number(
    own_app: FastAPI, committing_client: AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    @own_app.get("/kit/things/{number}")
    async def thing(number: int) -> int:
        return number

    await committing_client.get("/kit/things/seven")
    lines: list[Any] = [record.msg for record in caplog.records if record.name == "app.access"]
    assert [repr(line["status"]) for line in lines] == ["422"]


async def test_uvicorn_and_libraries_log_in_the_same_format(
    own_app: FastAPI, read_log: ReadLog
) -> None:
    logging.getLogger("uvicorn.error").info("Started server process")
    logging.getLogger("some.library").warning("beware")
    # The service's own access log replaces this event.
    logging.getLogger("uvicorn.access").info("GET /health/live")
    events = [(line["logger"], line["level"], line["event"]) for line in read_log()]
    assert events == [
        ("uvicorn.error", "info", "Started server process"),
        ("some.library", "warning", "beware"),
    ]


@pytest.mark.parametrize("name", ["app.access", None])
async def test_access_event_reaches_custom_handlers(
    committing_client: AsyncClient, read_log: ReadLog, name: str | None
) -> None:
    received: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            received.append(record.name)

    handler, logger = Handler(), logging.getLogger(name)
    logger.addHandler(handler)
    try:
        await committing_client.get("/health/live")
    finally:
        logger.removeHandler(handler)

    assert received.count("app.access") == 1
    assert [line["logger"] for line in read_log()].count("app.access") == 1


async def test_access_event_is_written_once_without_a_log_record(
    committing_client: AsyncClient, read_log: ReadLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = logging.getLogger()
    (handler,) = [each for each in root.handlers if isinstance(each.formatter, ProcessorFormatter)]
    records: list[str] = []

    def record_name(record: logging.LogRecord) -> None:
        records.append(record.name)

    monkeypatch.setattr(handler, "handle", record_name)
    # Removes pytest's handlers.
    monkeypatch.setattr(root, "handlers", [handler])
    await committing_client.get("/health/live", headers={"X-Request-ID": "abc"})

    assert "app.access" not in records
    (line,) = [line for line in read_log() if line["logger"] == "app.access"]
    assert (line["request_id"], line["path"], line["status"]) == ("abc", "/health/live", 200)
    assert (line["event"], line["level"]) == ("request", "info")
