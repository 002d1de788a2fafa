"""`FastEndpoint` returns the same responses as FastAPI, byte for byte."""

from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Annotated, Any
from uuid import UUID

import fastapi.routing
import pytest
from fastapi import APIRouter, Body, Depends, Header, HTTPException, Query, Request, Response
from httpx2 import AsyncClient
from pydantic import BaseModel, Field, field_validator

from app.kit.errors.problems import Conflict
from app.kit.http.application import Application
from app.kit.http.schemas import RequestModel
from app.kit.queries.pagination import PageQuery
from tests.support.app import client_of


class Filter(PageQuery):
    """Filters of a list."""

    name: str | None = Field(None, max_length=3, alias="called")
    size: int = 3


class Names(BaseModel):
    """A query model with a list."""

    names: list[str] = Field(default_factory=list)


class New(RequestModel):
    """A body."""

    name: str
    size: int = 1

    @field_validator("name")
    @classmethod
    def check(cls, name: str) -> str:
        """Reject a name."""
        if name == "bad":
            raise ValueError("is bad")
        return name


class Out(BaseModel):
    """A response."""

    name: str = Field(serialization_alias="called")
    size: int | None = None


def tenant(request: Request) -> str:
    return request.headers.get("tenant", "none")


async def base(request: Request) -> str:
    return f"{request.method} {request.path_params} {request.scope['route'].path}"


async def user(base: Annotated[str, Depends(base)], user: int = 7) -> str:
    if user == 0:
        raise Conflict("no such user")
    return f"{base} {user}"


User = Annotated[str, Depends(user)]
EVENTS: list[str] = []


async def transaction(user: User) -> AsyncGenerator[str]:
    """Record how the block ends."""
    EVENTS.append("begin")
    try:
        yield f"in {user}"
    except BaseException as error:
        EVENTS.append(f"rollback {type(error).__name__}")
        raise
    else:
        EVENTS.append("commit")
        if user.endswith("9"):
            raise Conflict("commit failed")


async def swallow() -> AsyncGenerator[None]:
    with suppress(ZeroDivisionError):
        yield


router = APIRouter(prefix="/fast", dependencies=[Depends(base)])
slow = APIRouter(prefix="/slow")


@router.get("/path/{key}/{number}")
async def read_path(key: UUID, number: int, user: User, base: Annotated[str, Depends(base)]) -> str:
    return f"{key} {number} {user} {base}"


@router.get("/list", response_model=list[Out], response_model_exclude_none=True)
async def read_list(query: Annotated[Filter, Query()]) -> Any:
    return [{"name": f"{query.name} é", "size": query.size}, Out(name="2")] * query.limit


@router.get("/scalars")
async def read_scalars(needed: Annotated[str, Query(alias="n")], page: float = 1.5) -> list[Any]:
    return [needed, page]


@router.get("/transaction/{how}", response_model=int)
async def write(how: str, text: Annotated[str, Depends(transaction, scope="function")]) -> Any:
    EVENTS.append(text)
    if how == "bug":
        raise ZeroDivisionError
    return how


@router.get("/swallow", dependencies=[Depends(swallow, scope="function")])
async def fail_silently() -> int:
    raise ZeroDivisionError


@slow.get("/request")
async def read_in_request(text: Annotated[str, Depends(transaction)]) -> str:
    return text


@router.post("/new", status_code=201)
async def create(new: New, user: User) -> Out:
    return Out(name=f"{new.name} {user}", size=new.size)


@router.post("/raw")
async def create_raw(request: Request) -> Any:
    return await request.json()


@router.get("/fails/{how}", response_model=Out)
async def fail(how: str) -> Any:
    match how:
        case "http":
            raise HTTPException(418, "tea", headers={"x-tea": "1"})
        case "problem":
            raise Conflict("taken")
        case "response":
            return Response(b"own", 202, {"x-own": "1"}, "text/own")
        case "bug":
            raise ZeroDivisionError
        case _:
            return {"size": "wrong"}


@slow.get("/list")
async def read_names(query: Annotated[Names, Query()]) -> list[str]:
    return query.names


@slow.get("/header")
async def read_header(response: Response, if_match: Annotated[str, Header()] = "-") -> str:
    response.headers["etag"] = '"1"'
    return if_match


@slow.get("/sync")
def read_sync(tenant: Annotated[str, Depends(tenant)]) -> str:
    return tenant


@slow.post("/embedded", status_code=204)
async def create_embedded(one: Annotated[int, Body(embed=True)]) -> None:
    assert one


@pytest.fixture
def app() -> Application:
    app = Application()
    app.include_router(router, prefix="/api")
    app.include_router(slow)
    return app


@pytest.fixture
async def client(app: Application) -> AsyncGenerator[AsyncClient]:
    async with client_of(app) as client:
        yield client


@pytest.fixture
def solved(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of the requests that FastAPI handled."""
    paths: list[str] = []
    routing: Any = fastapi.routing
    solve = routing.solve_dependencies

    async def record(**options: Any) -> Any:
        paths.append(options["request"].url.path)
        return await solve(**options)

    monkeypatch.setattr(routing, "solve_dependencies", record)
    return paths


KEY = "01930003-0000-7000-8100-000000000000"
VALID = [
    f"/path/{KEY}/7",
    f"/path/{KEY}/7?user=3",
    "/list",
    "/list?limit=2&called=abc&size=4",
    "/scalars?n=",
    "/scalars?n=a%C3%A9&page=2",
    "/fails/http",
    "/fails/problem",
    "/fails/response",
    "/fails/bug",
    "/fails/invalid",
    f"/path/{KEY}/7?user=0",
    "/transaction/1",
    "/transaction/1?user=9",
    "/transaction/bug",
    "/transaction/wrong",
    "/swallow",
]
INVALID = [
    "/path/x/y?user=z",
    "/list?limit=x&called=long",
    "/list?other=x",
    "/list?limit=1&limit=2",
    "/list?called=%00",
    "/scalars",
    "/scalars?n=1&page=x",
]
BODIES: list[tuple[str, bytes]] = [
    ("/new", b'{"name": "a"}'),
    ("/new?user=3", b'{"name": "a\xc3\xa9", "size": 2}'),
    ("/new?user=x", b'{"name": "bad", "size": "2", "more": 1}'),
    ("/new", b'{"name": "a\\u0000"}'),
    ("/new", b"{"),
    ("/new", b""),
    ("/new", b'[{"name": 1e999}]'),
    ("/raw", b'{"a": 1}'),
    ("/raw", b"{"),
]


async def both(app: Application, client: AsyncClient, *request: Any, **options: Any) -> Any:
    """Return the response, which must be the same if FastAPI handles the request."""
    options["headers"] = {"x-request-id": "1", "content-type": "application/json"}
    EVENTS.clear()
    fast, events = await client.request(*request, **options), EVENTS.copy()
    EVENTS.clear()
    # With any override, FastAPI handles all requests.
    app.dependency_overrides[both] = both
    expected = await client.request(*request, **options)
    app.dependency_overrides.clear()
    assert (fast.status_code, fast.headers.raw, fast.content, events) == (
        expected.status_code,
        expected.headers.raw,
        expected.content,
        EVENTS,
    )
    return fast


@pytest.mark.parametrize("path", VALID)
async def test_valid_request_gets_the_response_of_fastapi(
    app: Application, client: AsyncClient, solved: list[str], path: str
) -> None:
    await client.get(f"/api/fast{path}")
    assert not solved, (
        "FastEndpoint does not support an ordinary endpoint: this version of FastAPI has another"
        " Dependant or RouteContext. Compare app.kit.http.validation.fast_endpoint with"
        " fastapi.routing"
    )
    await both(app, client, "GET", f"/api/fast{path}")
    await both(app, client, "HEAD", f"/api/fast{path}")


@pytest.mark.parametrize("path", INVALID)
async def test_invalid_request_gets_the_errors_of_fastapi(
    app: Application, client: AsyncClient, path: str
) -> None:
    response = await both(app, client, "GET", f"/api/fast{path}")
    assert response.status_code == (200 if "limit=2" in path else 422)


@pytest.mark.parametrize(("path", "body"), BODIES)
async def test_body_is_validated_as_by_fastapi(
    app: Application, client: AsyncClient, path: str, body: bytes
) -> None:
    await both(app, client, "POST", f"/api/fast{path}", content=body)


@pytest.mark.parametrize("path", ["/list?names=a&names=b", "/header", "/sync", "/request"])
async def test_other_endpoints_run_in_fastapi(
    client: AsyncClient, solved: list[str], path: str
) -> None:
    assert (await client.get(f"/slow{path}")).is_success
    assert solved
    assert (await client.post("/slow/embedded", json={"one": 1})).status_code == 204


async def test_invalid_request_does_not_run_dependencies_twice(app: Application) -> None:
    called: list[str] = []

    async def note() -> None:
        called.append("note")

    twice = APIRouter(prefix="/twice", dependencies=[Depends(note)])

    @twice.post("/{number}")
    async def create_twice(number: int, new: New) -> int:
        return number + new.size

    app.include_router(twice)
    async with client_of(app) as client:
        assert (await client.post("/twice/1", json={"name": "a"})).json() == 2
        assert (await client.post("/twice/x", json={"name": "a"})).status_code == 422
    assert len(called) == 2
