"""Authentication of requests with access tokens (Bearer Token Usage, RFC 6750)."""

from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.params import Depends
from fastapi.routing import RouteContext
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from app.kit.auth.caller import (
    CALLER,
    Caller,
    is_public,
    is_public_route,
    no_caller,
    set_current_caller,
)
from app.kit.auth.docs_sign_in import add_sign_in
from app.kit.auth.errors import Unauthenticated
from app.kit.auth.openapi import describe_security
from app.kit.auth.provider import Provider
from app.kit.auth.settings import AuthSettings
from app.kit.auth.verification import TokenVerifier
from app.kit.observability.tracing import set_span_attribute

_SCHEME = "bearer"


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
