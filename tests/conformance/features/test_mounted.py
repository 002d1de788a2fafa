"""Errors of mounted applications are problem documents, also for HEAD."""

import pytest
from fastapi import FastAPI, HTTPException
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from app.kit.http.application import Application
from tests.support.app import client_of

PROBLEM = "application/problem+json"


def plain_application() -> FastAPI:
    app = FastAPI()

    @app.get("/items/{item_id}")
    async def read(item_id: int) -> int:
        return item_id

    @app.get("/conflict")
    async def conflict() -> None:
        raise HTTPException(409, "It is in use.", {"X-Kept": "yes"})

    @app.get("/own")
    async def own() -> JSONResponse:
        return JSONResponse({"detail": "a", "code": 7}, 400)

    @app.get("/large")
    async def large() -> StreamingResponse:
        parts = iter(["[", *["1," * 1000] * 1000, "1]"])
        return StreamingResponse(parts, 400, media_type="application/json")

    @app.get("/bug")
    async def bug() -> None:
        raise RuntimeError

    return app


async def teapot(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("No coffee.", 418)


async def fail_before_body(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Fail between the headers and the body of an error response."""
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 400, "headers": headers})
    raise RuntimeError


def application() -> FastAPI:
    app = Application()
    app.mount("/plain", plain_application())
    app.mount("/starlette", Starlette(routes=[Route("/teapot", teapot)]))
    app.mount("/fail_before_body", fail_before_body)
    return app


@pytest.mark.parametrize(
    ("path", "status", "detail"),
    [
        ("/plain/nowhere", 404, "Not Found"),
        ("/plain/items/x", 422, "The request is not valid."),
        ("/plain/conflict", 409, "It is in use."),
        ("/starlette/nowhere", 404, "Not Found"),
        ("/starlette/teapot", 418, "No coffee."),
        ("/fail_before_body/", 500, "An unexpected error occurred. Its traceback is logged."),
        ("/plain/bug", 500, None),
    ],
)
async def test_errors_of_mounted_application_are_problem_documents(
    path: str, status: int, detail: str | None
) -> None:
    response = await client_of(application()).get(path)
    assert response.status_code == status
    assert response.headers["Content-Type"] == PROBLEM
    document = response.json()
    assert document["status"] == status
    assert detail in (None, document["detail"])
    if status == 422:
        assert [error["field"] for error in document["errors"]] == ["path.item_id"]
    if status == 409:
        assert response.headers["X-Kept"] == "yes"


async def test_other_json_responses_are_unchanged() -> None:
    client = client_of(application())
    assert (await client.get("/plain/own")).json() == {"detail": "a", "code": 7}
    response = await client.get("/plain/large")
    assert (response.status_code, len(response.json())) == (400, 1_000_001)
    assert response.headers["Content-Type"] == "application/json"


async def test_compressed_error_is_unchanged() -> None:
    app = Application()
    app.mount("/", GZipMiddleware(PlainTextResponse("No coffee. " * 100, 418)))
    response = await client_of(app).get("/", headers={"Accept-Encoding": "gzip"})
    assert response.headers["Content-Encoding"] == "gzip"
    assert (response.status_code, response.text) == (418, "No coffee. " * 100)


@pytest.mark.parametrize("path", ["/plain/items/x", "/starlette/teapot", "/starlette/nowhere"])
async def test_head_of_error_has_correct_content_length(path: str) -> None:
    client = client_of(application())
    get = await client.get(path)
    head = await client.head(path)
    assert head.content == b""
    assert head.headers.get("Content-Length") in (None, get.headers["Content-Length"])


async def test_requests_of_mounted_application_release_the_slots_of_both() -> None:
    app, mounted = Application(concurrency_limit=3), Application(concurrency_limit=3)

    @mounted.get("/one")
    async def read_one() -> int:
        return 1

    app.mount("/mounted", mounted)
    async with client_of(app) as client:
        statuses = [(await client.get("/mounted/one")).status_code for _ in range(5)]

    assert statuses == [200] * 5


async def test_response_without_headers_passes_the_limits() -> None:
    async def respond(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})

    app = Application()
    app.mount("/bare", respond)
    async with client_of(app) as client:
        assert (await client.get("/bare/")).status_code == 204
