"""HTTP semantics: methods, media types, conditional requests, redirects and errors."""

import asyncio
import gzip
from collections.abc import AsyncGenerator
from http import HTTPStatus
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Body, FastAPI, HTTPException, Request, Response
from fastapi.responses import PlainTextResponse, RedirectResponse, StreamingResponse
from httpx2 import AsyncClient
from pydantic import BaseModel
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from app.kit.errors.problems import Conflict
from app.kit.http.application import Application
from app.kit.http.settings import HttpSettings
from app.kit.observability.health import router as health
from app.kit.writes import idempotency
from tests.support.app import client_of

PROBLEM = "application/problem+json"


class Item(BaseModel):
    name: str = ""


class Broken:
    """A middleware that raises an exception on one path."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("path") == "/broken":
            raise RuntimeError
        await self.app(scope, receive, send)


sent_lines: list[int] = []


def application(**http: Any) -> FastAPI:
    app = Application(http=HttpSettings.model_validate(http), title="Test")
    app.include_router(health)
    items, others = APIRouter(prefix="/items", tags=["x"]), APIRouter(tags=["x"])

    @items.get("/{item_id}")
    async def read_item(item_id: int, response: Response) -> Item:
        response.headers["ETag"] = f'"{item_id}"'
        return Item(name="read")

    @items.get("/{item_id}/lines")
    async def stream_item(item_id: int) -> StreamingResponse:
        async def lines() -> AsyncGenerator[str]:
            for number in range(1000):
                sent_lines.append(item_id)
                yield f"{number}\n"
                await asyncio.sleep(0.001)

        return StreamingResponse(lines())

    @items.post("")
    async def create_item(item: Item) -> Item:
        return item

    # Another router declares the same path.
    @others.patch("/items/{item_id}")
    async def update_item(item_id: int, item: Item | None = None) -> Item:
        return item or Item()

    @others.delete("/items/{item_id}")
    async def delete_item(item_id: int) -> None:
        raise Conflict("It is in use.")

    @others.head("/own-head")
    async def own_head() -> Response:
        return Response(headers={"X-Own": "head"})

    @others.get("/own-head")
    async def with_own_head() -> str:
        return "get"

    @others.post("/any")
    async def take_any(value: Annotated[Any, Body()]) -> str:
        return repr(value)

    @others.post("/raw")
    async def take_raw(
        data: Annotated[bytes, Body(media_type="application/octet-stream")],
    ) -> int:
        return len(data)

    @others.post("/request")
    async def take_request(request: Request) -> int:
        return len(await request.body())

    @others.get("/plain")
    async def refuse_plainly() -> PlainTextResponse:
        return PlainTextResponse("Not today.", 403, headers={"X-Kept": "yes"})

    @others.get("/teapot/{status}")
    async def raise_status(status: int) -> None:
        raise HTTPException(status)

    @others.get("/redirect")
    async def redirect(request: Request) -> RedirectResponse:
        return RedirectResponse(request.url_for("read_item", item_id=1))

    @others.get("/elsewhere")
    async def redirect_elsewhere() -> RedirectResponse:
        return RedirectResponse("https://login.example.org/")

    app.include_router(items, prefix="/v1")
    app.include_router(others, prefix="/v1")
    app.add_middleware(Broken)
    return app


@pytest.fixture
def client() -> AsyncClient:
    return client_of(application())


def is_problem(response: Any, status: int) -> bool:
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == PROBLEM
    assert response.headers["Content-Length"] == str(len(response.content))
    assert response.json()["status"] == status
    assert response.json()["request_id"] == response.headers["X-Request-ID"]
    return True


@pytest.mark.parametrize("path", ["/health/live", "/v1/items/1", "/openapi.json", "/docs"])
async def test_head_returns_headers_of_get_without_body(client: AsyncClient, path: str) -> None:
    got, head = await client.get(path), await client.head(path)
    assert (head.status_code, head.content) == (got.status_code, b"")
    ignored = {"x-request-id"}
    assert {k: v for k, v in head.headers.items() if k not in ignored} == {
        k: v for k, v in got.headers.items() if k not in ignored
    }
    assert head.headers["Content-Length"] == str(len(got.content))


async def test_head_stops_a_stream_early(client: AsyncClient) -> None:
    sent_lines.clear()
    head = await client.head("/v1/items/1/lines")
    assert (head.status_code, head.content) == (200, b"")
    assert len(sent_lines) < 10


async def test_declared_head_endpoint_is_used(client: AsyncClient) -> None:
    assert (await client.head("/v1/own-head")).headers["X-Own"] == "head"
    assert (await client.get("/v1/own-head")).json() == "get"


@pytest.mark.parametrize(("path", "status"), [("/v1/items/1x", 422), ("/nowhere", 404)])
async def test_head_of_error_has_no_body(client: AsyncClient, path: str, status: int) -> None:
    head = await client.head(path)
    assert (head.status_code, head.content) == (status, b"")


def test_head_adds_no_operations_to_openapi() -> None:
    schema = application().openapi()
    assert "head" not in schema["paths"]["/v1/items/{item_id}"]


@pytest.mark.parametrize("method", ["PUT", "POST", "OPTIONS", "TRACE", "BREW"])
async def test_405_lists_all_methods_of_the_path(client: AsyncClient, method: str) -> None:
    response = await client.request(method, "/v1/items/1")
    assert is_problem(response, 405)
    assert response.headers["Allow"] == "DELETE, GET, HEAD, PATCH"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("HEAD", "/v1/items", "POST"),
        ("DELETE", "/v1/items", "POST"),
        ("POST", "/health/live", "GET, HEAD"),
        ("DELETE", "/docs-assets/favicon.png", "GET, HEAD"),
        ("PUT", "/docs", "GET, HEAD"),
    ],
)
async def test_allow_header(client: AsyncClient, method: str, path: str, allowed: str) -> None:
    response = await client.request(method, path)
    assert (response.status_code, response.headers["Allow"]) == (405, allowed)


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/json",
        "application/jsonp",
        "application/a/b+json",
        "application/xml",
        "json",
        "",
    ],
)
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/v1/items"), ("PATCH", "/v1/items/1"), ("POST", "/v1/any")]
)
async def test_json_endpoint_requires_json_content_type(
    client: AsyncClient, method: str, path: str, content_type: str | None
) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    response = await client.request(method, path, content=b'{"name": "x"}', headers=headers)
    assert is_problem(response, 415)
    assert response.headers["Accept"] == "application/json"
    assert "application/json" in response.json()["detail"]


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON;charset=UTF-8",
        "application/merge-patch+json",
        "application/vnd.api+json; version=1",
    ],
)
async def test_json_media_types_are_accepted(client: AsyncClient, content_type: str) -> None:
    response = await client.post(
        "/v1/items", content=b'{"name": "x"}', headers={"Content-Type": content_type}
    )
    assert (response.status_code, response.json()) == (200, {"name": "x"})


@pytest.mark.parametrize("path", ["/v1/items", "/v1/any"])
@pytest.mark.parametrize("coding", ["gzip", "GZIP", "br", "identity, deflate"])
async def test_compressed_body_is_rejected_with_accepted_encodings(
    client: AsyncClient, path: str, coding: str
) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": coding}
    # The second body is not compressed: the response depends on the header.
    for body in (gzip.compress(b'{"name": "x"}'), b'{"name": "x"}'):
        response = await client.post(path, content=body, headers=headers)
        assert is_problem(response, 415)
        assert response.headers["Accept-Encoding"] == "identity"
        assert "Accept" not in response.headers


async def test_body_with_coding_identity_is_accepted(client: AsyncClient) -> None:
    headers = {"Content-Encoding": "identity"}
    response = await client.post("/v1/items", json={"name": "x"}, headers=headers)
    assert (response.status_code, response.json()) == (200, {"name": "x"})


async def test_endpoint_that_reads_the_body_itself_may_accept_compressed_ones(
    client: AsyncClient,
) -> None:
    body = gzip.compress(b"text")
    headers = {"Content-Encoding": "gzip"}
    response = await client.post("/v1/request", content=body, headers=headers)
    assert response.json() == len(body)


async def test_endpoint_without_json_body_accepts_other_media_types(client: AsyncClient) -> None:
    binary = {"Content-Type": "application/octet-stream"}
    assert (await client.post("/v1/raw", content=b"1234", headers=binary)).json() == 4
    csv = {"Content-Type": "text/csv"}
    assert (await client.post("/v1/request", content=b"1,2", headers=csv)).json() == 3
    # A request without a body needs no Content-Type.
    assert (await client.patch("/v1/items/1")).status_code == 200
    assert (await client.post("/v1/items")).status_code == 422


async def chunks(*parts: bytes) -> AsyncGenerator[bytes]:
    for part in parts:
        yield part


async def test_chunked_body_requires_content_type(client: AsyncClient) -> None:
    # An empty body needs no Content-Type.
    assert (await client.patch("/v1/items/1", content=chunks())).status_code == 200
    assert is_problem(await client.patch("/v1/items/1", content=chunks(b"{", b"}")), 415)


async def test_get_with_body_requires_json_content_type() -> None:
    app = Application()

    @app.get("/search")
    async def search(item: Item) -> Item:
        return item

    client = client_of(app)
    assert is_problem(await client.request("GET", "/search", content=b"{}"), 415)
    assert (await client.request("GET", "/search", json={})).status_code == 200


async def test_mounted_application_has_the_same_semantics() -> None:
    app = Application()
    app.mount("/mounted", application())
    client = client_of(app)

    head = await client.head("/mounted/v1/items/1")
    assert (head.status_code, head.headers["ETag"]) == (200, '"1"')
    response = await client.put("/mounted/v1/items/1")
    assert is_problem(response, 405)
    assert response.headers["Allow"] == "DELETE, GET, HEAD, PATCH"
    assert is_problem(await client.post("/mounted/v1/items", content=b"{}"), 415)


async def test_if_none_match_in_several_headers(client: AsyncClient) -> None:
    headers = [("If-None-Match", '"2"'), ("If-None-Match", '"1"')]
    assert (await client.get("/v1/items/1", headers=headers)).status_code == 304


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ('"1"', 304),
        ('W/"1"', 304),
        ('"0", W/"1" , "2"', 304),
        ("*", 304),
        ('"2"', 200),
        ('W/"11"', 200),
        ("1", 200),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_if_none_match(client: AsyncClient, method: str, condition: str, status: int) -> None:
    headers = {"If-None-Match": condition}
    response = await client.request(method, "/v1/items/1", headers=headers)
    assert response.status_code == status
    assert response.headers["ETag"] == '"1"'
    if status == HTTPStatus.NOT_MODIFIED:
        assert response.content == b""
        assert "Content-Type" not in response.headers


async def test_if_none_match_does_not_hide_errors(client: AsyncClient) -> None:
    headers = {"If-None-Match": "*"}
    assert is_problem(await client.get("/v1/items/x", headers=headers), 422)
    assert is_problem(await client.delete("/v1/items/1", headers=headers), 409)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:81", "evil.example/x", "a b", ""])
@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/v1/items/1/", "/v1/items/1"),
        ("/health/live/?a=b", "/health/live?a=b"),
        ("/v1/redirect", "/v1/items/1"),
    ],
)
async def test_redirect_ignores_host_header(
    client: AsyncClient, host: str, path: str, target: str
) -> None:
    response = await client.get(path, headers={"Host": host})
    assert response.status_code == 307
    assert response.headers["Location"] == target


async def test_redirect_to_another_host_is_kept(client: AsyncClient) -> None:
    response = await client.get("/v1/elsewhere")
    assert response.headers["Location"] == "https://login.example.org/"


async def test_path_with_two_slashes_does_not_redirect_to_another_host() -> None:
    app = application()

    @app.get("/{rest:path}/end")
    async def read(rest: str) -> str:
        return rest

    response = await client_of(app).get("http://test//evil.example/end/")
    assert response.status_code == 307
    assert response.headers["Location"] == "/evil.example/end"


async def test_every_error_response_is_a_problem_document() -> None:
    client = client_of(application(origins="https://shop.example.org", body_limit=1000))
    assert is_problem(await client.get("/nowhere"), 404)
    assert is_problem(await client.get("/broken"), 500)
    assert is_problem(await client.post("/v1/items", json={"name": "x" * 2000}), 413)
    assert is_problem(await client.get("/docs-assets/nowhere.js"), 404)
    malformed = {"Range": "bytes=x"}
    assert is_problem(await client.get("/docs-assets/favicon.png", headers=malformed), 400)
    out_of_range = {"Range": "bytes=99999999-"}
    response = await client.get("/docs-assets/favicon.png", headers=out_of_range)
    assert is_problem(response, 416)
    assert response.headers["Content-Range"]
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"}
    response = await client.options("/v1/items", headers=headers)
    assert is_problem(response, 400)
    assert response.json()["detail"] == "Disallowed CORS origin"
    response = await client.get("/v1/plain")
    assert is_problem(response, 403)
    assert (response.json()["detail"], response.headers["X-Kept"]) == ("Not today.", "yes")


async def test_untrusted_host_is_a_problem_document() -> None:
    client = client_of(application(hosts="api.example.org"))
    assert is_problem(await client.get("/v1/items/1"), 400)


async def test_rejected_web_socket_is_a_problem_document() -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/nowhere", "headers": [], "query_string": b""}
    await application()({**scope, "extensions": {"websocket.http.response": {}}}, receive, send)
    start, body = sent
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 403)
    assert dict(start["headers"])[b"content-type"] == PROBLEM.encode()
    assert b"Forbidden" in body["body"]


async def test_accepted_web_socket_is_unchanged() -> None:
    app, sent = application(), list[Any]()

    @app.websocket("/talk")
    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        await socket.close()

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message["type"])

    scope = {"type": "websocket", "path": "/talk", "headers": [], "query_string": b""}
    await app({**scope, "extensions": {"websocket.http.response": {}}}, receive, send)
    assert sent == ["websocket.accept", "websocket.close"]


@pytest.mark.parametrize(
    ("status", "title"),
    [
        (413, "Content Too Large"),
        (414, "URI Too Long"),
        (416, "Range Not Satisfiable"),
        (422, "Unprocessable Content"),
        (404, "Not Found"),
        (499, "Client Error"),
        (599, "Server Error"),
    ],
)
async def test_titles_do_not_depend_on_python_version(
    client: AsyncClient, status: int, title: str
) -> None:
    if status in (499, 599):
        app = Application()

        @app.get("/v1/teapot/{code}")
        async def raise_status(code: int) -> None:
            raise HTTPException(code, "Unusual")

        client = client_of(app)
    response = await client.get(f"/v1/teapot/{status}")
    assert response.status_code == status
    assert response.json()["title"] == title


def request_with(body: bytes) -> Request:
    async def receive() -> Any:
        return {"type": "http.request", "body": body}

    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": []}
    return Request(scope, receive)


@pytest.mark.parametrize("body", [b"not JSON", b"\xff", b"[" * 100_000, b"[NaN]"])
async def test_idempotency_fingerprint_accepts_any_body(body: bytes) -> None:
    fingerprint = await idempotency._fingerprint(request_with(body))
    assert fingerprint == await idempotency._fingerprint(request_with(body))
    assert fingerprint != await idempotency._fingerprint(request_with(b"another"))
