"""What a browser is told, and whom the service answers."""

import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from httpx2 import AsyncClient, Response

from app.kit.application import Application
from app.kit.health import router as health
from app.kit.http.settings import HttpSettings
from tests.rig.app import client_of

HERE = "https://shop.example.org"
PREFLIGHT = {"Origin": HERE, "Access-Control-Request-Method": "PATCH"}


def client_with(**settings: object) -> AsyncClient:
    """A client of an application of the kit that has these settings, and a few routes."""
    app = Application(http=HttpSettings.model_validate(settings), places=1)
    app.include_router(health)

    @app.get("/kit/fine")
    async def fine() -> int:
        return 1

    @app.get("/kit/bug")
    async def bug() -> None:
        raise RuntimeError

    @app.get("/kit/stream")
    async def stream() -> StreamingResponse:
        return StreamingResponse(iter(["a", "b"]), headers={"Cache-Control": "max-age=60"})

    return client_of(app)


@pytest.mark.parametrize("path", ["/kit/fine", "/kit/bug", "/kit/stream", "/nowhere", "/docs"])
async def test_every_answer_tells_the_browser_to_be_careful(path: str) -> None:
    headers = (await client_with().get(path)).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "Strict-Transport-Security" not in headers


async def test_an_answer_is_not_stored_unless_it_says_so() -> None:
    client = client_with()
    assert (await client.get("/kit/fine")).headers["Cache-Control"] == "no-store"
    assert (await client.get("/kit/stream")).headers["Cache-Control"] == "max-age=60"


async def test_https_is_insisted_on_when_asked_for() -> None:
    answer = await client_with(hsts=31_536_000).get("/kit/fine")
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"


async def test_an_answer_of_the_api_may_load_nothing() -> None:
    policy = (await client_with().get("/kit/fine")).headers["Content-Security-Policy"]
    assert policy == "default-src 'none'; frame-ancestors 'none'"


def readable_for(answer: Response) -> str | None:
    """The origin whose pages may read an answer."""
    origin: str | None = answer.headers.get("Access-Control-Allow-Origin")
    return origin


async def test_no_other_page_may_read_an_answer() -> None:
    client = client_with()
    assert readable_for(await client.get("/kit/fine", headers={"Origin": HERE})) is None
    refused = await client.options("/kit/fine", headers=PREFLIGHT)
    assert refused.status_code == 405
    assert readable_for(refused) is None


async def test_the_pages_of_the_settings_may_read_every_answer() -> None:
    client = client_with(origins=HERE)
    for path in ("/kit/fine", "/kit/bug", "/nowhere"):
        answer = await client.get(path, headers={"Origin": HERE})
        assert readable_for(answer) == HERE
        exposed = answer.headers["Access-Control-Expose-Headers"]
        assert exposed == "ETag, Idempotent-Replayed, Location, Retry-After, X-Request-ID"
        assert "Access-Control-Allow-Credentials" not in answer.headers
        other = await client.get(path, headers={"Origin": "https://other.example"})
        assert readable_for(other) is None


async def test_a_browser_that_asks_first_is_told() -> None:
    client = client_with(origins=HERE, credentials=True)
    asks = PREFLIGHT | {"Access-Control-Request-Headers": "if-match, idempotency-key"}
    told = await client.options("/kit/fine", headers=asks)
    assert told.status_code == 200
    assert readable_for(told) == HERE
    assert told.headers["Access-Control-Allow-Credentials"] == "true"
    stranger = asks | {"Origin": "https://other.example"}
    assert readable_for(await client.options("/kit/fine", headers=stranger)) is None


async def test_another_host_is_refused_with_a_problem() -> None:
    client = client_with(hosts="api.example.org,*.example.net")
    for host, status in {
        "api.example.org": 200,
        "api.example.org:8443": 200,
        "a.example.net": 200,
        "example.org": 400,
        "api.example.org.evil.example": 400,
    }.items():
        answer = await client.get("/kit/fine", headers={"Host": host})
        assert answer.status_code == status, host
    refused = await client.get("/kit/fine", headers={"Host": "evil.example"})
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["request_id"] == refused.headers["X-Request-ID"]


async def test_whoever_watches_the_process_comes_by_its_address() -> None:
    client = client_with(hosts="api.example.org")
    answer = await client.get("/health/live", headers={"Host": "10.0.0.7:8000"})
    assert answer.status_code == 200


async def test_the_service_takes_the_settings_of_its_environment(app: FastAPI) -> None:
    assert isinstance(app, Application)
    assert app.http == HttpSettings()
