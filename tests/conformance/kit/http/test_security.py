"""Security headers, CORS and allowed hosts."""

import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from httpx2 import AsyncClient, Response

from app.kit.http.application import Application
from app.kit.http.settings import HttpSettings
from app.kit.observability.health import router as health
from tests.support.app import client_of

ORIGIN = "https://shop.example.org"
PREFLIGHT = {"Origin": ORIGIN, "Access-Control-Request-Method": "PATCH"}


def client_with(**settings: object) -> AsyncClient:
    """Return a client of an application with these settings and a few endpoints."""
    app = Application(http=HttpSettings.model_validate(settings), concurrency_limit=1)
    app.include_router(health)

    @app.get("/kit/fine")
    async def fine() -> int:
        return 1

    @app.get("/kit/bug")
    async def bug() -> None:
        raise RuntimeError

    @app.get("/kit/http/streaming")
    async def stream() -> StreamingResponse:
        return StreamingResponse(iter(["a", "b"]), headers={"Cache-Control": "max-age=60"})

    return client_of(app)


@pytest.mark.parametrize(
    "path", ["/kit/fine", "/kit/bug", "/kit/http/streaming", "/nowhere", "/docs"]
)
async def test_every_response_has_security_headers(path: str) -> None:
    headers = (await client_with().get(path)).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "Strict-Transport-Security" not in headers


async def test_response_is_not_cached_by_default() -> None:
    client = client_with()
    assert (await client.get("/kit/fine")).headers["Cache-Control"] == "no-store"
    assert (await client.get("/kit/http/streaming")).headers["Cache-Control"] == "max-age=60"


async def test_hsts_header_is_sent_if_configured() -> None:
    response = await client_with(hsts=31_536_000).get("/kit/fine")
    assert response.headers["Strict-Transport-Security"] == "max-age=31536000"


async def test_api_response_forbids_loading_resources() -> None:
    policy = (await client_with().get("/kit/fine")).headers["Content-Security-Policy"]
    assert policy == "default-src 'none'; frame-ancestors 'none'"


def allowed_origin(response: Response) -> str | None:
    """Return the origin that may read a response."""
    origin: str | None = response.headers.get("Access-Control-Allow-Origin")
    return origin


async def test_other_origins_cannot_read_responses_by_default() -> None:
    client = client_with()
    assert allowed_origin(await client.get("/kit/fine", headers={"Origin": ORIGIN})) is None
    rejected = await client.options("/kit/fine", headers=PREFLIGHT)
    assert rejected.status_code == 405
    assert allowed_origin(rejected) is None


async def test_configured_origins_can_read_every_response() -> None:
    client = client_with(origins=ORIGIN)
    for path in ("/kit/fine", "/kit/bug", "/nowhere"):
        response = await client.get(path, headers={"Origin": ORIGIN})
        assert allowed_origin(response) == ORIGIN
        exposed = response.headers["Access-Control-Expose-Headers"]
        assert exposed == "ETag, Idempotent-Replayed, Location, Retry-After, X-Request-ID"
        assert "Access-Control-Allow-Credentials" not in response.headers
        other = await client.get(path, headers={"Origin": "https://other.example"})
        assert allowed_origin(other) is None


async def test_preflight_request_is_allowed_for_configured_origins() -> None:
    client = client_with(origins=ORIGIN, credentials=True)
    preflight = PREFLIGHT | {"Access-Control-Request-Headers": "if-match, idempotency-key"}
    response = await client.options("/kit/fine", headers=preflight)
    assert response.status_code == 200
    assert allowed_origin(response) == ORIGIN
    assert response.headers["Access-Control-Allow-Credentials"] == "true"
    other_origin = preflight | {"Origin": "https://other.example"}
    assert allowed_origin(await client.options("/kit/fine", headers=other_origin)) is None


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
async def test_preflight_request_allows_every_method_and_header_of_the_kit(method: str) -> None:
    names = "Authorization, Content-Type, If-None-Match, Last-Event-ID, X-Request-ID"
    preflight = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": names.lower(),
    }
    response = await client_with(origins=ORIGIN).options("/kit/fine", headers=preflight)
    assert response.status_code == 200, response.text
    assert "Origin" in response.headers["Vary"]


async def test_response_for_one_origin_is_not_cached_for_another() -> None:
    client = client_with(origins=f"{ORIGIN},https://other.example", credentials=True)
    for headers in ({"Origin": ORIGIN}, {"Origin": "https://evil.example"}, {}):
        assert (await client.get("/kit/fine", headers=headers)).headers["Vary"] == "Origin"


async def test_any_origin_may_read_responses_without_credentials() -> None:
    client = client_with(origins="*")
    for response in (
        await client.get("/kit/fine", headers={"Origin": ORIGIN}),
        await client.options("/kit/fine", headers=PREFLIGHT),
    ):
        assert allowed_origin(response) == "*"
        assert "Access-Control-Allow-Credentials" not in response.headers


async def test_untrusted_host_is_rejected_with_a_problem_document() -> None:
    client = client_with(hosts="api.example.org,*.example.net")
    for host, status in {
        "api.example.org": 200,
        "api.example.org:8443": 200,
        "a.example.net": 200,
        "example.org": 400,
        "api.example.org.evil.example": 400,
    }.items():
        response = await client.get("/kit/fine", headers={"Host": host})
        assert response.status_code == status, host
    rejected = await client.get("/kit/fine", headers={"Host": "evil.example"})
    assert rejected.headers["content-type"] == "application/problem+json"
    assert rejected.json()["request_id"] == rejected.headers["X-Request-ID"]


async def test_health_check_ignores_allowed_hosts() -> None:
    client = client_with(hosts="api.example.org")
    response = await client.get("/health/live", headers={"Host": "10.0.0.7:8000"})
    assert response.status_code == 200


async def test_service_uses_http_settings_of_the_environment(app: FastAPI) -> None:
    assert isinstance(app, Application)
    assert app.http == HttpSettings()
