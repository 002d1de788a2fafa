"""Verification of access tokens."""

import hmac
import json
from asyncio import sleep
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from time import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from oidc_issuer.keys import SigningKey
from tests.conformance.support.identity_provider import Provider, client_with, service


async def answer(provider: Provider, token: str, **settings: Any) -> tuple[int, str]:
    """Return the status and the detail of a response, or its content."""
    async with client_with(service(provider.settings(**settings)), token) as client:
        response = await client.get("/invoices/subject")
    body = response.json()
    if response.status_code == 200:
        return 200, body
    challenge = response.headers["WWW-Authenticate"]
    assert challenge.startswith('Bearer error="'), challenge
    assert response.headers["Content-Type"] == "application/problem+json"
    return response.status_code, body["detail"]


def encoded(value: Any) -> str:
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    return urlsafe_b64encode(content).rstrip(b"=").decode()


def with_payload(token: str, **claims: Any) -> str:
    head, payload, signature = token.split(".")
    content = json.loads(urlsafe_b64decode(payload + "=="))
    return f"{head}.{encoded(content | claims)}.{signature}"


def with_public_key_as_secret(provider: Provider) -> str:
    key = provider.issuer.keys[0]
    public = key.private.public_key()
    secret = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    payload = provider.token().split(".")[1]
    signed = f"{encoded({'alg': 'HS256', 'kid': key.kid})}.{payload}"
    return f"{signed}.{encoded(hmac.digest(secret, signed.encode(), sha256))}"


def signed_by(key: Any, algorithm: str) -> Callable[[Provider], str]:
    def token(provider: Provider) -> str:
        claims = jwt.decode(provider.token(), options={"verify_signature": False})
        kid = provider.issuer.keys[0].kid
        return jwt.encode(claims, key, algorithm, headers={"kid": kid})

    return token


REJECTED: dict[str, tuple[Callable[[Provider], str], str]] = {
    "expired": (lambda it: it.token(exp=time() - 60), "is expired"),
    "not yet valid": (lambda it: it.token(nbf=time() + 60), "not valid yet"),
    "without expiry": (lambda it: it.token(exp=None), "The token is not valid"),
    "infinite expiry": (lambda it: it.token(exp=10**400), "claims of the token"),
    "other audience": (lambda it: it.token(aud="orders"), "another audience"),
    "without audience": (lambda it: it.token(aud=None), "The token is not valid"),
    "other issuer": (lambda it: it.token(iss="https://example.org"), "another issuer"),
    "without subject": (lambda it: it.token(sub=None), "The token is not valid"),
    "long subject": (lambda it: it.token(sub="x" * 256), "claims of the token"),
    "subject with NUL": (lambda it: it.token(sub="a\0b"), "claims of the token"),
    "tampered payload": (lambda it: with_payload(it.token(), sub="bob"), "signature"),
    "other key, same id": (
        lambda it: it.token(key=SigningKey(kid=it.issuer.keys[0].kid)),
        "signature",
    ),
    "unknown key": (lambda it: it.token(key=SigningKey()), "key of the token is unknown"),
    "other curve": (signed_by(ec.generate_private_key(ec.SECP384R1()), "ES384"), "algorithm"),
    "other key type": (
        signed_by(rsa.generate_private_key(public_exponent=65537, key_size=2048), "RS256"),
        "key of the token is unknown",
    ),
    "no signature": (signed_by(None, "none"), "algorithm of the token is not allowed"),
    "public key as secret": (with_public_key_as_secret, "algorithm of the token is not allowed"),
    "other type": (lambda it: it.token(headers={"typ": "logout+jwt"}), "not an access token"),
    "extension": (lambda it: it.token(headers={"crit": ["exp"]}), "The token is malformed"),
    "too long": (lambda it: it.token(padding="x" * 8_192), "too long"),
    "two parts": (lambda it: it.token().rpartition(".")[0], "malformed"),
    "five parts": (lambda it: f"{it.token()}.a.b", "malformed"),
    "text": (lambda _: "token", "malformed"),
    "not base64": (lambda _: "ä.ö.ü", "malformed"),
    "header is a list": (lambda it: f"{encoded([1])}.{it.token().partition('.')[2]}", "malformed"),
    "nested header": (lambda _: f"{encoded(b'[' * 4_000)}.e30.e30", "malformed"),
    "key id is a number": (lambda _: f"{encoded({'alg': 'ES256', 'kid': 1})}.e30.e30", "malformed"),
}


@pytest.mark.parametrize("name", REJECTED)
async def test_invalid_token_is_rejected(provider: Provider, name: str) -> None:
    token, reason = REJECTED[name]

    status, detail = await answer(provider, token(provider))

    assert status == 401
    assert reason in detail


async def test_valid_token_identifies_the_caller(provider: Provider) -> None:
    token = provider.token("b a", aud=["other", "invoices"], email="alice@example.org")

    assert await answer(provider, token) == (200, "alice ['a', 'b'] True")


async def test_clocks_may_differ_by_the_leeway(provider: Provider) -> None:
    token = provider.token(exp=time() - 5, nbf=time() + 5)

    assert (await answer(provider, token))[0] == 200
    assert (await answer(provider, token, leeway=0))[0] == 401


@pytest.mark.parametrize(
    ("claims", "settings"),
    [
        ({"scope": "a b"}, {}),
        ({"scope": None, "scp": "a b"}, {}),
        ({"scope": None, "scp": ["b", "a"]}, {}),
        ({"scope": "a", "permissions": ["b", 1]}, {"scope_claims": ("scope", "permissions")}),
    ],
)
async def test_scopes_are_read_from_different_claims(
    provider: Provider, claims: dict[str, Any], settings: dict[str, Any]
) -> None:
    assert await answer(provider, provider.token(**claims), **settings) == (
        200,
        "alice ['a', 'b'] True",
    )


async def test_token_needs_required_scopes(provider: Provider) -> None:
    status, detail = await answer(provider, provider.token("a"), required_scopes=("a", "b"))

    assert (status, detail) == (403, "The token needs these scopes: a b")


async def test_token_is_rejected_as_soon_as_it_expires(provider: Provider) -> None:
    apps = [service(provider.settings(leeway=0, cache_size=size)) for size in (0, 2_000)]
    token = provider.token(exp=int(time()) + 2)

    async def statuses() -> list[int]:
        found: list[int] = []
        for app in apps:
            async with client_with(app, token) as client:
                found.append((await client.get("/invoices/subject")).status_code)
        return found

    assert [await statuses(), await statuses()] == [[200, 200]] * 2
    await sleep(2)
    assert await statuses() == [401, 401]


async def test_number_of_stored_tokens_is_limited(provider: Provider) -> None:
    app = service(provider.settings(cache_size=2))
    for _ in range(5):
        async with client_with(app, provider.token()) as client:
            assert (await client.get("/invoices/subject")).status_code == 200

    stored = vars(app.state.authentication.verifier)["_verified"]
    assert len(stored) == 2
    assert all(isinstance(key, bytes) and len(key) == 32 for key in stored)
