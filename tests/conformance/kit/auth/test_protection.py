"""Endpoints need a caller unless they are public."""

import io
import json
import logging
from typing import Any
from urllib.parse import urlsplit

import pytest
from fastapi import APIRouter, FastAPI
from pydantic import BaseModel
from starlette.types import Message

from app.kit.auth.caller import CallerDep, ScopedAPIRouter, current_caller, public
from app.kit.auth.errors import Forbidden
from app.kit.observability.health import router as health
from app.kit.observability.logging import configure_logging
from app.kit.settings import LogSettings
from tests.conformance.support.identity_provider import Provider, client_with, service


async def test_request_without_token_is_rejected(provider: Provider) -> None:
    app = service(provider.settings())
    rejected = [
        {},
        {"Authorization": "Basic YTpi"},
        {"Authorization": ""},
        {"Authorization": f"Token {provider.token()}"},
    ]
    async with client_with(app) as client:
        for headers in rejected:
            response = await client.get("/invoices/plain", headers=headers)
            assert response.status_code == 401
            assert response.headers["WWW-Authenticate"] == "Bearer"
            assert response.json()["title"] == "Unauthorized"
            assert response.json()["request_id"] == response.headers["X-Request-ID"]
    assert provider.requests == []


async def test_scheme_is_case_insensitive(provider: Provider) -> None:
    async with client_with(service(provider.settings())) as client:
        headers = {"Authorization": f"bEARER   {provider.token()} "}
        assert (await client.get("/invoices/plain", headers=headers)).json() == "alice"


async def test_second_authorization_header_is_rejected(provider: Provider) -> None:
    headers = [("Authorization", f"Bearer {provider.token()}")] * 2
    async with client_with(service(provider.settings())) as client:
        response = await client.get("/invoices/plain", headers=headers)
    assert response.status_code == 401
    assert "more than one" in response.headers["WWW-Authenticate"]


async def test_public_endpoints_need_no_token(provider: Provider) -> None:
    app = service(provider.settings())
    app.include_router(health)
    async with client_with(app) as client:
        for path in ("/invoices/public", "/open/all"):
            assert (await client.get(path)).json() == "nobody"
        assert (await client.get("/health/live")).status_code == 200
        assert (await client.get("/missing")).status_code == 404
        assert (await client.get("/docs")).status_code == 200
    assert provider.requests.count("/jwks.json") <= 1


async def test_other_health_endpoints_need_a_token(provider: Provider) -> None:
    app, router = service(provider.settings()), APIRouter(prefix="/health")

    @router.get("/caller")
    async def with_caller(caller: CallerDep) -> str:
        return caller.subject

    @router.get("/details")
    async def without_caller() -> str:
        return "details"

    @router.get("/public", dependencies=[public])
    async def marked() -> str:
        return "public"

    app.include_router(router)
    async with client_with(app) as client:
        assert (await client.get("/health/caller")).status_code == 401
        assert (await client.get("/health/details")).status_code == 401
        assert (await client.get("/health/public")).json() == "public"
    async with client_with(app, provider.token()) as client:
        assert (await client.get("/health/caller")).json() == "alice"


async def test_public_endpoint_that_uses_the_caller_is_protected(provider: Provider) -> None:
    app = service(provider.settings())
    async with client_with(app) as client:
        assert (await client.get("/open/caller")).status_code == 401
    async with client_with(app, provider.token()) as client:
        assert (await client.get("/open/caller")).json() == "alice"
    assert app.openapi()["paths"]["/open/caller"]["get"]["security"]


async def test_missing_scope_is_rejected_before_validation(provider: Provider) -> None:
    app = service(provider.settings())
    async with client_with(app, provider.token("invoices:read")) as client:
        response = await client.post("/invoices", json={"amount": "invalid"})
    assert response.status_code == 403
    assert response.headers["WWW-Authenticate"] == (
        'Bearer error="insufficient_scope", scope="invoices:write"'
    )
    async with client_with(app, provider.token("invoices:write")) as client:
        assert (await client.post("/invoices", json={"amount": 5})).json() == 5
        assert (await client.post("/invoices", json={"amount": "x"})).status_code == 422


def test_scoped_router_includes_no_router_without_scope() -> None:
    invoices = ScopedAPIRouter(prefix="/invoices", writes="invoices:write")
    invoices.include_router(ScopedAPIRouter(prefix="/lines", writes="lines:write"))
    with pytest.raises(TypeError, match="not APIRouter"):
        invoices.include_router(APIRouter(prefix="/notes"))


async def test_caller_ends_with_the_request(provider: Provider) -> None:
    async with client_with(service(provider.settings()), provider.token()) as client:
        assert (await client.get("/invoices/plain")).json() == "alice"
        assert current_caller() is None
        assert (await client.get("/invoices/public")).json() == "nobody"


@pytest.mark.parametrize("how", ["plain", "hashed"])
async def test_log_contains_the_subject_and_never_the_token(provider: Provider, how: str) -> None:
    configure_logging(LogSettings())
    [handler] = logging.getLogger().handlers
    assert isinstance(handler, logging.StreamHandler)
    written = io.StringIO()
    stderr = handler.setStream(written)
    token = provider.token()
    async with client_with(service(provider.settings(log_subject=how)), token) as client:
        await client.get("/invoices/plain")
        await client.get("/missing")
    handler.setStream(stderr)

    found, missing = [json.loads(line) for line in written.getvalue().splitlines()]
    assert (found["subject"] == "alice") is (how == "plain")
    assert len(found["subject"]) == (5 if how == "plain" else 16)
    assert "subject" not in missing
    assert token.split(".")[2] not in written.getvalue()


async def test_claims_are_typed(provider: Provider) -> None:
    class Tenant(BaseModel):
        tenant: int

    app = service(provider.settings())

    @app.get("/kit/claims")
    async def claims(caller: CallerDep) -> list[Any]:
        return [caller.claims.email, caller.claims_as(Tenant).tenant, repr(caller)]

    token = provider.token("a", email="alice@example.org", tenant="7")
    async with client_with(app, token) as client:
        email, tenant, shown = (await client.get("/kit/claims")).json()
    assert (email, tenant) == ("alice@example.org", 7)
    assert shown == "Caller(subject='alice', scopes=frozenset({'a'}))"


async def test_forbidden_is_a_problem_document(provider: Provider) -> None:
    app = service(provider.settings())

    @app.get("/kit/other")
    async def other() -> None:
        raise Forbidden("Authors change their own posts only.")

    async with client_with(app, provider.token()) as client:
        response = await client.get("/kit/other")
    assert response.status_code == 403
    assert response.json()["detail"] == "Authors change their own posts only."
    assert "WWW-Authenticate" not in response.headers


async def handshake(app: FastAPI, token: str) -> list[Message]:
    """Return the messages of a WebSocket handshake and its close."""
    sent: list[Message] = []
    scope = {
        "type": "websocket",
        "path": "/invoices/socket",
        "query_string": b"",
        "headers": [(b"authorization", f"Bearer {token}".encode())] if token else [],
        "extensions": {"websocket.http.response": {}},
    }

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent


async def test_web_socket_needs_a_token(provider: Provider) -> None:
    app = service(provider.settings())

    accepted = await handshake(app, provider.token())
    assert [message["type"] for message in accepted] == [
        "websocket.accept",
        "websocket.send",
        "websocket.close",
    ]
    assert accepted[1]["text"] == "alice"
    for token, challenge in (("", b"Bearer"), ("a.b", b'Bearer error="invalid_token"')):
        start, body = await handshake(app, token)
        assert (start["type"], start["status"]) == ("websocket.http.response.start", 401)
        assert dict(start["headers"])[b"www-authenticate"].startswith(challenge)
        assert json.loads(body["body"])["status"] == 401


async def test_openapi_documents_security(provider: Provider) -> None:
    document = service(provider.settings()).openapi()

    assert document["components"]["securitySchemes"] == {
        "OpenIDConnect": {
            "type": "openIdConnect",
            "openIdConnectUrl": "docs/openid-configuration",
        }
    }
    write = document["paths"]["/invoices"]["post"]
    assert write["security"] == [{"OpenIDConnect": ["invoices:write"]}]
    for status in ("401", "403"):
        response = write["responses"][status]
        assert response["content"]["application/problem+json"]["example"]["status"] == int(status)
        assert response["headers"].keys() == {"WWW-Authenticate", "X-Request-ID"}
    assert document["paths"]["/invoices/plain"]["get"]["security"] == [{"OpenIDConnect": []}]
    for path in ("/invoices/public", "/open/all"):
        operation = document["paths"][path]["get"]
        assert "security" not in operation
        assert "401" not in operation["responses"]


async def test_api_docs_sign_in_with_the_provider(provider: Provider) -> None:
    async with client_with(service(provider.settings(client_id="docs"))) as client:
        page = await client.get("/docs")
        configuration = (await client.get("/docs/openid-configuration")).json()

    address = urlsplit(provider.issuer.url).netloc
    assert f"connect-src 'self' http://{address};" in page.headers["Content-Security-Policy"]
    assert '"clientId": "docs"' in page.text
    assert '"usePkceWithAuthorizationCodeGrant": true' in page.text
    assert configuration["authorization_endpoint"] == f"{provider.issuer.url}/authorize"
    assert configuration["grant_types_supported"] == ["authorization_code"]
    assert configuration["scopes_supported"] == ["openid", "invoices:write"]


async def test_api_docs_work_without_the_provider(provider: Provider) -> None:
    provider.replaced = {"/.well-known/openid-configuration": (500, b"")}
    async with client_with(service(provider.settings())) as client:
        page = await client.get("/docs")
        configuration = await client.get("/docs/openid-configuration")

    assert "connect-src 'self';" in page.headers["Content-Security-Policy"]
    assert configuration.status_code == 503
