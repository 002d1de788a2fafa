"""Authentication of requests with access tokens.

The tokens are JSON Web Tokens (RFC 7519 and RFC 8725), sent as bearer tokens (RFC 6750).
"""

from hashlib import sha256
from time import time
from typing import Any, NamedTuple, cast

import jwt
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.params import Depends
from fastapi.routing import RouteContext
from jwt import PyJWK
from pydantic import ValidationError
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from app.kit.auth.caller import (
    CALLER,
    Caller,
    Claims,
    is_public,
    is_public_route,
    no_caller,
    set_current_caller,
)
from app.kit.auth.errors import InsufficientScope, Unauthenticated
from app.kit.auth.openapi import add_sign_in, describe_security
from app.kit.auth.provider import Provider
from app.kit.auth.settings import AuthSettings
from app.kit.observability.tracing import set_span_attribute

_SCHEME = "bearer"
# Values of the `typ` header of access tokens: RFC 9068, and the usual value before it.
_TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})
_REASONS: dict[type[jwt.PyJWTError], str] = {
    jwt.ExpiredSignatureError: "The token is expired.",
    jwt.ImmatureSignatureError: "The token is not valid yet.",
    jwt.InvalidSignatureError: "The signature of the token is not valid.",
    jwt.InvalidAudienceError: "The token is for another audience.",
    jwt.InvalidIssuerError: "The token is from another issuer.",
}


class _Verified(NamedTuple):
    caller: Caller
    expires: float
    kid: str | None
    algorithm: str
    key: PyJWK


class TokenVerifier:
    """Verifies tokens, and keeps the result until a token expires or its key is withdrawn."""

    def __init__(self, settings: AuthSettings, provider: Provider) -> None:
        self._settings = settings
        self._provider = provider
        self._required = frozenset(settings.required_scopes)
        # By a hash of the token, so that a memory dump contains no tokens.
        self._verified: dict[bytes, _Verified] = {}

    async def verify(self, token: str) -> Caller:
        """Return the caller. Raises Unauthenticated, InsufficientScope or Unavailable."""
        if len(token) > self._settings.token_limit:
            raise Unauthenticated("The token is too long.")
        digest = sha256(token.encode("latin-1")).digest()
        known = self._verified.get(digest)
        if known and self._is_valid(known):
            return known.caller
        verified = await self._verify(token)
        self._keep(digest, verified)
        return verified.caller

    def _is_valid(self, known: _Verified) -> bool:
        key = self._provider.known_key(known.kid, known.algorithm)
        return time() < known.expires and key is known.key

    def _keep(self, digest: bytes, verified: _Verified) -> None:
        self._verified.pop(digest, None)
        if size := self._settings.cache_size:
            if len(self._verified) >= size:
                del self._verified[next(iter(self._verified))]
            self._verified[digest] = verified

    async def _verify(self, token: str) -> _Verified:
        kid, algorithm = self._read_header(token)
        key = await self._provider.find_key(kid, algorithm)
        if key is None:
            raise Unauthenticated("The key of the token is unknown.")
        settings = self._settings
        try:
            payload = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=settings.audience,
                issuer=settings.issuer,
                leeway=settings.leeway,
                options={"require": ["iss", "aud", "exp", "sub"]},
            )
            claims = Claims.model_validate(payload)
        except jwt.PyJWTError as error:
            raise Unauthenticated(_REASONS.get(type(error), "The token is not valid.")) from None
        except (ValidationError, ValueError, OverflowError):
            raise Unauthenticated("The claims of the token are not valid.") from None
        scopes = self._scopes_of(payload)
        if not scopes >= self._required:
            raise InsufficientScope(settings.required_scopes)
        caller = Caller(claims.sub, scopes, claims, self._log_subject(claims.sub))
        return _Verified(caller, claims.exp + settings.leeway, kid, algorithm, key)

    def _read_header(self, token: str) -> tuple[str | None, str]:
        """Return the key id and the algorithm of a token, before its signature is verified."""
        try:
            header = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, ValueError):
            raise Unauthenticated("The token is malformed.") from None
        kid, algorithm, kind = header.get("kid"), header.get("alg"), header.get("typ", "JWT")
        if algorithm not in self._settings.algorithms:
            raise Unauthenticated("The algorithm of the token is not allowed.")
        if "crit" in header:
            raise Unauthenticated("The token needs an extension that is not supported.")
        if not isinstance(kind, str) or kind.lower() not in _TYPES:
            raise Unauthenticated("The token is not an access token.")
        return kid, cast("str", algorithm)

    def _scopes_of(self, payload: dict[str, Any]) -> frozenset[str]:
        scopes: set[str] = set()
        for name in self._settings.scope_claims:
            value = payload.get(name)
            if isinstance(value, str):
                scopes.update(value.split())
            elif isinstance(value, list):
                given = cast("list[object]", value)
                scopes.update(each for each in given if isinstance(each, str))
        return frozenset(scopes)

    def _log_subject(self, subject: str) -> str:
        if self._settings.log_subject == "plain":
            return subject
        return sha256(f"{self._settings.issuer} {subject}".encode()).hexdigest()[:16]


class BearerAuthentication:
    """Requires a valid token for every endpoint that is not public."""

    def __init__(self, settings: AuthSettings) -> None:
        self.settings = settings
        self.provider = Provider(settings)
        self.verifier = TokenVerifier(settings, self.provider)
        # Dependencies of every endpoint.
        self.dependencies: tuple[Depends, ...] = (Depends(authenticate),)

    def wrap(self, app: ASGIApp) -> ASGIApp:
        """Return middleware that ends the caller's context with the request."""

        async def forget_caller(scope: Scope, receive: Receive, send: Send) -> None:
            # A server may handle the next request of a connection in the same context.
            with no_caller():
                await app(scope, receive, send)

        return forget_caller

    def enter(self, caller: Caller) -> None:
        """Set the caller of the current request, also in its span."""
        set_current_caller(caller)
        set_span_attribute("enduser.id", caller.log_subject)

    def install(self, app: FastAPI) -> None:
        """Add the authentication to an application, and the sign-in to its API docs."""
        app.state.authentication = self
        add_sign_in(app, self.settings, self.provider)

    def describe(self, app: FastAPI, document: dict[str, Any]) -> None:
        """Add the security scheme to the OpenAPI schema, and the errors of each operation."""
        describe_security(app, document)

    async def close(self) -> None:
        """Cancel the running request to the provider."""
        await self.provider.close()


def is_protected(route: RouteContext) -> bool:
    """Return whether a route needs a caller. Plain Starlette routes and mounts never do."""
    dependant: Dependant | None = getattr(route, "dependant", None)
    calls = [each.call for each in dependant.dependencies] if dependant else []
    return authenticate in calls and not is_public_route(route)


async def authenticate(connection: HTTPConnection) -> None:
    """Verify the token of a request or WebSocket. Raises Unauthenticated."""
    scope = connection.scope
    if is_public(scope):
        return
    authentication: BearerAuthentication = scope["app"].state.authentication
    caller = await authentication.verifier.verify(_token_of(scope))
    scope[CALLER] = caller
    authentication.enter(caller)


def _token_of(scope: Scope) -> str:
    given: list[bytes] = [value for name, value in scope["headers"] if name == b"authorization"]
    if not given:
        raise Unauthenticated
    if len(given) > 1:
        raise Unauthenticated("The request has more than one Authorization header.")
    scheme, _, token = given[0].decode("latin-1").partition(" ")
    if scheme.lower() != _SCHEME:
        raise Unauthenticated
    return token.strip()
