"""CPU time of requests with and without authentication, as JSON. Runs in a service."""

import gc
import json
import logging
import time
from typing import Annotated, Any

import jwt
import structlog
import uvloop
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from fastapi import APIRouter, FastAPI

from app.kit.auth.caller import Caller, public, requires
from app.kit.auth.provider import KeySet
from app.kit.auth.settings import AuthSettings
from app.kit.http.application import Application
from app.kit.http.authentication import Authentication

ISSUER = "https://issuer.example/realms/shop"
ROUNDS, REQUESTS = 15, 1_000
KEYS = {
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}


def application(*, authenticated: bool = True, cache_size: int = 2_000) -> FastAPI:
    """Return an application whose endpoints do nothing."""
    router = APIRouter(prefix="/measured")

    @router.get("/nothing")
    async def nothing() -> int:
        return 1

    @router.get("/public", dependencies=[public])
    async def nothing_public() -> int:
        return 1

    @router.get("/scope")
    async def scope(_caller: Annotated[Caller, requires("posts:write")]) -> int:
        return 1

    settings = AuthSettings(issuer=ISSUER, audience=("shop",), cache_size=cache_size)
    authentication = Authentication(settings)
    # As if the keys were fetched before.
    keys = [
        jwt.get_algorithm_by_name(name).to_jwk(key.public_key(), as_dict=True) | {"kid": name}
        for name, key in KEYS.items()
    ]
    vars(authentication.provider)["_keys"] = KeySet(keys)
    app = Application(authentication=authentication if authenticated else None)
    app.include_router(router)
    return app


def token(algorithm: str) -> str:
    """Return a token with the usual claims, which is 900 bytes long."""
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": "shop", "sub": "alice", "exp": now + 3_600, "nbf": now}
    claims |= {"scope": "openid posts:read posts:write", "roles": ["editor"] * 40}
    return jwt.encode(claims, KEYS[algorithm], algorithm, headers={"kid": algorithm})


async def respond(app: FastAPI, path: str, authorization: str) -> None:
    """Send one request to an application."""
    sent: list[Any] = []
    headers = [(b"host", b"test"), (b"accept", b"*/*"), (b"user-agent", b"benchmark")]
    headers.append((b"authorization", f"Bearer {authorization}".encode()))
    scope = {"type": "http", "method": "GET", "path": path, "headers": headers}
    scope |= {"query_string": b"", "root_path": "", "scheme": "http", "server": ("test", 80)}

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    if sent[0]["status"] != 200:
        raise RuntimeError(sent)


async def main() -> None:
    """Measure all cases in interleaved rounds, and print the best round of each."""
    # Before the loggers are created: no log event per request.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    without, stored, verified = (
        application(authenticated=False),
        application(),
        application(cache_size=0),
    )
    es256, eddsa = token("ES256"), token("EdDSA")
    cases = {
        "no authentication": (without, "/measured/nothing", es256),
        "public endpoint": (stored, "/measured/public", es256),
        "verified token, in the cache": (stored, "/measured/nothing", es256),
        "the same, with `requires`": (stored, "/measured/scope", es256),
        "every request verifies ES256": (verified, "/measured/nothing", es256),
        "every request verifies EdDSA": (verified, "/measured/nothing", eddsa),
    }
    best = dict.fromkeys(cases, float("inf"))
    for _ in range(ROUNDS):
        for name, case in cases.items():
            gc.collect()
            started = time.process_time()
            for _ in range(REQUESTS):
                await respond(*case)
            best[name] = min(best[name], (time.process_time() - started) / REQUESTS)
    print(json.dumps(best))


if __name__ == "__main__":
    uvloop.run(main())
