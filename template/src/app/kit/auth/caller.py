"""The caller of a request: the subject, scopes and claims of a verified access token."""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, params
from fastapi.dependencies.models import Dependant
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import HTTPConnection
from starlette.types import Scope

from app.kit.auth.errors import InsufficientScope
from app.kit.http.asgi import READING, current_route

# Other routes below `/health/` need a token, unless they are marked as public.
_HEALTH_CHECKS = frozenset({"/health/live", "/health/ready"})
# The key of `request.user` in the ASGI scope.
CALLER = "user"

M = TypeVar("M", bound=BaseModel)


class Claims(BaseModel):
    """Claims of an access token. Claims without a field here are in `model_extra`."""

    model_config = ConfigDict(extra="allow", frozen=True)

    iss: str
    # OpenID Connect limits the length. PostgreSQL stores no NUL.
    sub: str = Field(min_length=1, max_length=255, pattern=r"^[^\x00]*$")
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

    # The interface of Starlette's `request.user`.
    @property
    def is_authenticated(self) -> bool:
        """Whether the token was verified: always."""
        return True

    @property
    def display_name(self) -> str:
        """The name of the user, or the subject."""
        return self.claims.name or self.subject

    @property
    def identity(self) -> str:
        """The subject."""
        return self.subject

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


async def get_caller(connection: HTTPConnection) -> Caller:
    """Return the caller of a request or WebSocket."""
    caller: Caller = connection.scope[CALLER]
    return caller


CallerDep = Annotated[Caller, Depends(get_caller)]

# The scopes of each dependency that `requires` returned.
_SCOPES: dict[Callable[..., Any], tuple[str, ...]] = {get_caller: ()}


@cache
def requires(*scopes: str) -> Any:
    """Return a dependency for routers and endpoints: the caller's token needs all these scopes.

    `APIRouter(dependencies=[requires("invoices:read")])`, `@router.post("",
    dependencies=[requires("invoices:write")])` or `Annotated[Caller, requires("invoices:write")]`.
    """

    # Not `SecurityScopes`, which FastAPI creates at each request.
    async def get_caller_with_scopes(connection: HTTPConnection) -> Caller:
        caller: Caller = connection.scope[CALLER]
        if not caller.scopes.issuperset(scopes):
            raise InsufficientScope(scopes)
        return caller

    _SCOPES[get_caller_with_scopes] = scopes
    return Depends(get_caller_with_scopes)


class ScopedAPIRouter(APIRouter):
    """A router whose POST, PUT, PATCH and DELETE endpoints need the scope `writes`.

    Reads need a token, but no scope. `dependencies=[requires(…)]` of an endpoint adds scopes.
    """

    def __init__(self, *, writes: str, **options: Any) -> None:
        super().__init__(**options)
        self.writes = writes

    def add_api_route(
        self,
        path: str,
        endpoint: Callable[..., Any],
        *,
        methods: set[str] | list[str] | None = None,
        dependencies: Sequence[params.Depends] | None = None,
        **options: Any,
    ) -> None:
        """Add an endpoint; a write gets the scope of the router."""
        added = () if READING.issuperset(methods or READING) else (requires(self.writes),)
        super().add_api_route(
            path,
            endpoint,
            methods=methods,
            dependencies=[*added, *(dependencies or ())],
            **options,
        )

    def include_router(self, router: APIRouter, **options: Any) -> None:
        """Include a `ScopedAPIRouter`. Raises TypeError for a router whose writes need no scope."""
        if not isinstance(router, ScopedAPIRouter):
            raise TypeError(f"A ScopedAPIRouter includes only others, not {type(router).__name__}.")
        super().include_router(router, **options)


def required_scopes(dependant: Dependant) -> list[str] | None:
    """Return the scopes that a route requires; None if it does not ask for the caller."""
    found: dict[str, None] = {}
    asks = False
    for each in dependant.dependencies:
        own = _SCOPES.get(each.call) if each.call else None
        for scopes in (own, required_scopes(each)):
            asks = asks or scopes is not None
            found |= dict.fromkeys(scopes or ())
    return [*found] if asks else None


async def _mark_public() -> None:
    """Mark a route as public."""


# For routers and endpoints that need no token: `APIRouter(dependencies=[public])`.
public = Depends(_mark_public)


def is_public_route(route: Any) -> bool:
    """Return whether a route is a health check, or is marked as public and needs no caller."""
    # For a WebSocket of an included router, `starlette_route` has the path and the dependencies.
    route = getattr(route, "starlette_route", None) or route
    is_marked = public in route.dependencies or route.path_format in _HEALTH_CHECKS
    return is_marked and required_scopes(route.dependant) is None


def is_public(scope: Scope) -> bool:
    """Return whether the route of a request is marked as public."""
    return is_public_route(current_route(scope))
