"""The configuration and the keys of the identity provider."""

import json
from asyncio import create_task, gather, sleep, wait_for
from collections.abc import Callable
from time import perf_counter
from typing import Any

import jwt
import pytest
from fastapi import FastAPI

from app.kit.auth import provider as provider_module
from tests.conformance.support.identity_provider import Provider, client_with, service

CONFIGURATION = "/.well-known/openid-configuration"
KEYS = "/jwks.json"


async def status_of(app: FastAPI, token: str) -> int:
    async with client_with(app, token) as client:
        response = await client.get("/invoices/subject")
    if response.status_code == 503:
        assert response.headers["Retry-After"] == "1"
        assert "identity provider is unavailable" in response.json()["detail"]
    return response.status_code


async def test_keys_are_fetched_once_by_concurrent_requests(provider: Provider) -> None:
    provider.delay = 0.05
    app = service(provider.settings())
    assert provider.requests == []

    tokens = [provider.token() for _ in range(10)]
    statuses = await gather(*(status_of(app, token) for token in tokens))

    assert statuses == [200] * 10
    assert provider.requests == [CONFIGURATION, KEYS]


async def test_unknown_key_is_looked_up_once_per_interval(provider: Provider) -> None:
    app = service(provider.settings(refresh_interval=0.3))
    assert await status_of(app, provider.token()) == 200
    provider.issuer.rotate()
    new = provider.token()

    assert [await status_of(app, new) for _ in range(3)] == [401] * 3
    assert provider.key_requests == 1
    await sleep(0.3)
    assert await gather(*(status_of(app, provider.token()) for _ in range(5))) == [200] * 5
    assert provider.key_requests == 2


async def test_token_of_withdrawn_key_is_rejected(provider: Provider) -> None:
    app = service(provider.settings(refresh_interval=0))
    old = provider.token()
    assert await status_of(app, old) == 200
    provider.issuer.rotate(keep_old=False)

    # A token of the new key starts the refresh.
    assert await status_of(app, provider.token()) == 200
    assert await status_of(app, old) == 401


async def test_keys_are_refreshed_in_the_background(provider: Provider) -> None:
    app = service(provider.settings(refresh_interval=0, keys_lifetime=0.1))
    token = provider.token()
    assert await status_of(app, token) == 200
    provider.issuer.rotate(keep_old=False)
    provider.delay = 0.5
    await sleep(0.1)

    started = perf_counter()
    assert await status_of(app, token) == 200
    assert perf_counter() - started < provider.delay
    # The next refresh finds the new keys.
    statuses = [200]
    while statuses[-1] == 200 and len(statuses) < 100:
        await sleep(0.1)
        statuses.append(await status_of(app, token))
    assert statuses[-1] == 401


async def test_known_keys_are_used_during_an_outage(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider_module, "_RETRY", 0.1)
    app = service(provider.settings(keys_lifetime=0))
    provider.replaced = {KEYS: (500, b"")}
    assert await status_of(app, provider.token()) == 503
    # Requests within the retry interval do not wait for the provider.
    requests = len(provider.requests)
    assert await status_of(app, provider.token()) == 503
    assert len(provider.requests) == requests
    await sleep(0.1)

    provider.replaced = {}
    assert await status_of(app, provider.token()) == 200
    provider.replaced = {CONFIGURATION: (503, b"")}
    assert [await status_of(app, provider.token()) for _ in range(3)] == [200] * 3


async def test_unknown_key_waits_once_for_a_provider_that_does_not_respond(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider_module, "_RETRY", 0)
    app = service(provider.settings(refresh_interval=0, timeout=1))
    assert await status_of(app, provider.token()) == 200
    provider.delay = 5
    provider.issuer.rotate()
    assert await status_of(app, provider.token()) == 503

    started = perf_counter()
    assert [await status_of(app, provider.token()) for _ in range(5)] == [503] * 5
    assert perf_counter() - started < 2
    # A background request finds the new key after the outage.
    provider.delay = 0
    statuses = [503]
    while statuses[-1] == 503 and len(statuses) < 100:
        await sleep(0.1)
        statuses.append(await status_of(app, provider.token()))
    assert statuses[-1] == 200


async def test_slow_provider_fails_the_request_in_time(provider: Provider) -> None:
    provider.delay = 5
    app = service(provider.settings(timeout=0.2))

    started = perf_counter()
    assert await gather(*(status_of(app, provider.token()) for _ in range(3))) == [503] * 3
    assert perf_counter() - started < 2
    assert provider.requests == [CONFIGURATION]


async def test_cancelled_request_does_not_cancel_the_refresh(provider: Provider) -> None:
    provider.delay = 0.1
    app = service(provider.settings())
    first = create_task(status_of(app, provider.token()))
    second = create_task(status_of(app, provider.token()))
    await wait_for(provider.was_called.wait(), 10)
    first.cancel()

    assert await second == 200
    assert provider.key_requests == 1


async def test_shutdown_cancels_the_refresh(provider: Provider) -> None:
    provider.delay = 5
    app = service(provider.settings())
    request = create_task(status_of(app, provider.token()))
    await wait_for(provider.was_called.wait(), 10)

    started = perf_counter()
    await app.state.authentication.close()
    await gather(request, return_exceptions=True)
    assert perf_counter() - started < 2


def other(provider: Provider, **changes: Any) -> bytes:
    return json.dumps(provider.issuer.configuration() | changes).encode()


# The replaced responses of the provider, see `Provider.replaced`.
FAULTS: dict[str, Callable[[Provider], dict[str, tuple[int, bytes]]]] = {
    "redirect": lambda _: {KEYS: (302, b"")},
    "not found": lambda _: {CONFIGURATION: (404, b"")},
    "not JSON": lambda _: {KEYS: (200, b"<html>")},
    "other JSON": lambda _: {KEYS: (200, b"[]")},
    "too large": lambda _: {KEYS: (200, b'{"keys": [], "x": "' + b"x" * 600_000 + b'"}')},
    "other issuer": lambda it: {CONFIGURATION: (200, other(it, issuer="https://example.org"))},
    "unsafe URL": lambda it: {CONFIGURATION: (200, other(it, jwks_uri="http://example.org/k"))},
    "invalid URL": lambda it: {CONFIGURATION: (200, other(it, jwks_uri="file:///etc/passwd"))},
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_invalid_response_is_treated_as_an_outage(provider: Provider, fault: str) -> None:
    provider.replaced = FAULTS[fault](provider)

    assert await status_of(service(provider.settings()), provider.token()) == 503


async def test_unusable_keys_are_ignored(provider: Provider) -> None:
    [key] = provider.issuer.jwks()["keys"]
    unusable = [
        {"kty": "oct", "kid": key["kid"], "k": "c2VjcmV0"},
        {"kty": "new", "kid": 5},
        "text",
        {"kty": "EC", "kid": key["kid"], "crv": "P-384", "x": "", "y": ""},
        {**key, "use": "enc"},
        {**key, "key_ops": ["encrypt"]},
        {**key, "alg": "ES384"},
    ]
    content = json.dumps({"keys": [*unusable, key]}).encode()
    provider.replaced = {KEYS: (200, content)}

    assert await status_of(service(provider.settings()), provider.token()) == 200
    provider.replaced = {KEYS: (200, json.dumps({"keys": unusable}).encode())}
    assert await status_of(service(provider.settings()), provider.token()) == 401


async def test_token_without_key_id_needs_a_single_key(provider: Provider) -> None:
    claims = jwt.decode(provider.token(), options={"verify_signature": False})
    token = jwt.encode(claims, provider.issuer.keys[0].private, "ES256")
    assert await status_of(service(provider.settings()), token) == 200

    provider.issuer.rotate()
    assert await status_of(service(provider.settings()), token) == 401
