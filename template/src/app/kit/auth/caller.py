"""The caller of a request: the subject, scopes and claims of a verified access token."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Security
from fastapi.params import Security as SecurityDependency
from fastapi.security import SecurityScopes
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import HTTPConnection
from starlette.types import Scope

from app.kit.auth.errors import InsufficientScope
from app.kit.http.route import current_route

# Key in the ASGI scope.
CALLER = "app.caller"
_HEALTH = "/health/"

M = TypeVar("M", bound=BaseModel)


class Claims(BaseModel):
    """Claims of an access token. Claims without a field here are in `model_extra`."""

    model_config = ConfigDict(extra="allow", frozen=True)

    iss: str
    # OpenID Connect limits the length.
    sub: str = Field(min_length=1, max_length=255)
    aud: str | list[str]
    exp: float
    nbf: float | None = None
    iat: float | None = None
    jti: str | None = None
    azp: str | None = None
    client_id: str | None = None
    name: str | None = None
    email: str | None = None
    email_verified: bool | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """The user or client that sends a request. `subject` is unique per provider."""

    subject: str
    scopes: frozenset[str]
    claims: Claims = field(repr=False)
    # The subject as it appears in logs: plain or hashed, by AUTH_LOG_SUBJECT.
    log_subject: str = field(repr=False)

    def claims_as(self, model: type[M]) -> M:
        """Return the claims as a model of yours. Raises ValidationError."""
        values: Mapping[str, Any] = self.claims.model_dump(exclude_unset=True)
        return model.model_validate(values)


_current: ContextVar[Caller | None] = ContextVar("caller", default=None)


def current_caller() -> Caller | None:
    """Return the caller of the current request; None in a public endpoint and outside requests."""
    return _current.get()


def set_current_caller(caller: Caller | None) -> None:
    """Set the caller of the current request, or of a job that runs for a user."""
    _current.set(caller)


@contextmanager
def no_caller() -> Generator[None]:
    """Run the block without a caller, and restore the one before it."""
    token = _current.set(None)
    try:
        yield
    finally:
        _current.reset(token)


async def get_caller(connection: HTTPConnection, required: SecurityScopes) -> Caller:
    """Return the caller. Raises InsufficientScope if the token lacks a scope."""
    caller: Caller = connection.scope[CALLER]
    if not caller.scopes.issuperset(required.scopes):
        raise InsufficientScope(required.scopes)
    return caller


CallerDep = Annotated[Caller, Security(get_caller)]


def requires(*scopes: str) -> SecurityDependency:
    """Return a dependency for routers and endpoints: the caller's token needs all these scopes.

    `APIRouter(dependencies=[requires("invoices:read")])`, `@router.post("",
    dependencies=[requires("invoices:write")])` or `Annotated[Caller, requires("invoices:write")]`.
    """
    dependency: SecurityDependency = Security(get_caller, scopes=scopes)
    return dependency


async def _mark_public() -> None:
    """Mark a route as public."""


# For routers and endpoints that need no token: `APIRouter(dependencies=[public])`.
public = Depends(_mark_public)


def is_public_route(route: Any) -> bool:
    """Return whether a route is marked as public. Health checks always are."""
    # The path and dependencies of a WebSocket in an included router.
    route = getattr(route, "starlette_route", None) or route
    path: str = getattr(route, "path_format", "")
    return public in route.dependencies or path.startswith(_HEALTH)


def is_public(scope: Scope) -> bool:
    """Return whether the route of a request is marked as public."""
    return is_public_route(current_route(scope))
