"""The application's router compares a request only with routes that can match it."""

from collections.abc import AsyncGenerator
from typing import Annotated

import pytest
from fastapi import APIRouter, Body, Depends, FastAPI, Request
from fastapi.routing import APIRoute
from httpx2 import ASGITransport, AsyncClient
from starlette.routing import Match
from starlette.types import Scope

from app.kit.http.application import Application
from app.kit.http.routing import StrictRoute
from tests.support.app import client_of


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of the routes that were compared with a request."""
    paths: list[str] = []
    matches = APIRoute.matches

    def record(route: APIRoute, scope: Scope) -> tuple[Match, Scope]:
        paths.append(route.path)
        return matches(route, scope)

    monkeypatch.setattr(APIRoute, "matches", record)
    return paths


@pytest.fixture
def apples() -> APIRouter:
    router = APIRouter(prefix="/apples")

    @router.get("")
    @router.get("/{number}")
    def read_apple(number: int = 0) -> int:
        return number

    return router


@pytest.fixture
def app(apples: APIRouter) -> FastAPI:
    """An application with several routers, one of them with a second prefix."""
    app = Application()
    pears, boxes = APIRouter(prefix="/pears"), APIRouter(prefix="/boxes/{box}")
    others = APIRouter()

    @pears.get("/{number}")
    async def read_pear(number: int) -> int:
        return -number

    @boxes.get("/weight")
    async def weigh(box: int) -> int:
        return box * 10

    app.include_router(apples)
    app.include_router(boxes)
    app.include_router(pears, prefix="/fruit")
    mounted = FastAPI()
    mounted.include_router(apples)
    app.mount("/mounted", mounted)

    @others.get("/{word}/any")
    async def read_any(word: str) -> str:
        return word

    @others.get("/apples/any/url")
    async def read_url(request: Request) -> str:
        return request.url_for("read_pear", number=1).path

    app.include_router(others)
    return app


@pytest.fixture
async def client(app: FastAPI) -> AsyncGenerator[AsyncClient]:
    async with client_of(app) as client:
        yield client


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/apples", 0),
        ("/apples/7", 7),
        ("/fruit/pears/7", -7),
        ("/boxes/7/weight", 70),
        ("/mounted/apples/7", 7),
        ("/plums/any", "plums"),
        ("/boxes/any", "boxes"),
        ("/apples/any/url", "/fruit/pears/1"),
    ],
)
async def test_path_reaches_its_route(client: AsyncClient, path: str, expected: object) -> None:
    assert (await client.get(path)).json() == expected


async def test_first_matching_route_is_used(client: AsyncClient) -> None:
    assert (await client.get("/apples/any")).status_code == 422


async def test_fastapi_compares_no_routes_with_known_paths(
    client: AsyncClient, compared: list[str]
) -> None:
    # FastEndpoint handles the first request, and FastAPI the synchronous endpoint.
    assert (await client.get("/fruit/pears/7")).is_success
    assert (await client.get("/apples/7")).is_success
    assert not compared


async def test_fastapi_compares_only_routers_that_can_match(
    app: FastAPI, client: AsyncClient, compared: list[str]
) -> None:
    class OwnRoute(StrictRoute):
        """A route that FastAPI handles, because it is of another class."""

    plums = APIRouter(prefix="/plums", route_class=OwnRoute)

    @plums.get("/{number}")
    async def read_plum(number: int) -> int:
        return number

    app.include_router(plums)

    assert (await client.get("/plums/7")).json() == 7
    assert "/plums/{number}" in compared
    assert not {"/apples/{number}", "/pears/{number}"} & set(compared)


async def test_path_parameter_with_slashes_is_found(app: FastAPI, client: AsyncClient) -> None:
    files = APIRouter(prefix="/apples/files")

    @files.get("/{path:path}")
    async def read_file(path: str) -> str:
        return path

    app.include_router(files)

    assert (await client.get("/apples/files/a/b/c")).json() == "a/b/c"


async def test_dependencies_of_application_and_routers_apply() -> None:
    called: list[str] = []

    def note(name: str) -> None:
        called.append(name)

    app = Application(dependencies=[Depends(lambda: note("application"))])
    outer, inner = APIRouter(prefix="/outer"), APIRouter(prefix="/inner")

    @inner.get("/{number}")
    async def read(number: int) -> int:
        return number

    outer.include_router(inner, dependencies=[Depends(lambda: note("inner"))])
    app.include_router(outer, dependencies=[Depends(lambda: note("outer"))])
    async with client_of(app) as client:
        assert (await client.get("/outer/inner/7")).json() == 7
    assert sorted(called) == ["application", "inner", "outer"]


async def test_routes_stay_strict_after_index_is_rebuilt(app: FastAPI, client: AsyncClient) -> None:
    plums = APIRouter(prefix="/plums")

    @plums.post("")
    async def create_plum(number: Annotated[int, Body(embed=True)]) -> int:
        return number

    app.include_router(plums)
    for _ in range(2):
        assert (await client.post("/plums", json={"number": 7})).json() == 7
        assert (await client.post("/plums", json={"number": "7"})).status_code == 422
        app.include_router(APIRouter(prefix="/cherries"))


async def test_route_added_after_first_request_is_found(
    app: FastAPI, apples: APIRouter, client: AsyncClient
) -> None:
    assert (await client.get("/apples/7/colour")).status_code == 404
    assert (await client.get("/plums")).status_code == 404

    @apples.get("/{number}/colour")
    async def read_colour(number: int) -> str:
        return f"green {number}"

    plums = APIRouter()

    @plums.get("/plums")
    async def read_plums() -> str:
        return "blue"

    app.include_router(plums)

    assert (await client.get("/apples/7/colour")).json() == "green 7"
    assert (await client.get("/plums")).json() == "blue"


@pytest.mark.parametrize("path", ["/", "/applesauce", "/apple", "/pears/7", "//apples"])
async def test_unknown_path_is_not_found(client: AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 404


async def test_other_method_is_not_allowed(client: AsyncClient) -> None:
    response = await client.post("/apples")

    assert response.status_code == 405
    assert response.headers["Allow"] == "GET, HEAD"


async def test_allow_lists_only_methods_of_routes_whose_path_parameters_are_valid() -> None:
    app, posts = Application(), APIRouter(prefix="/posts/{post_id}")

    def post_of(post_id: int) -> int:
        return post_id

    for router, path in ((posts, ""), (app, "/words/{word}")):
        for method in ("GET", "PATCH", "DELETE"):
            dependencies = [Depends(post_of)] if router is posts else []
            router.add_api_route(path, lambda: 1, methods=[method], dependencies=dependencies)
    for path in ("/posts/feed", "/words/feed"):
        app.add_api_route(path, lambda: 1, methods=["GET"])
    app.include_router(posts)
    async with client_of(app) as client:
        allowed = {
            path: (await client.options(path)).headers["Allow"]
            for path in ("/posts/7", "/posts/feed", "/words/feed")
        }
    assert allowed == {
        "/posts/7": "DELETE, GET, HEAD, PATCH",
        "/posts/feed": "GET, HEAD",
        # A request to change the word `feed` reaches its route.
        "/words/feed": "DELETE, GET, HEAD, PATCH",
    }


async def test_trailing_slash_redirects(client: AsyncClient) -> None:
    response = await client.get("/apples/")

    assert (response.status_code, response.headers["Location"]) == (307, "/apples")


async def test_path_that_only_begins_like_the_root_path_is_not_below_it() -> None:
    app, keys = Application(), APIRouter()

    @keys.get("/keys")
    @keys.get("/api-keys")
    async def read_keys() -> int:
        return 1

    app.include_router(keys)
    transport = ASGITransport(app, root_path="/api")
    async with AsyncClient(transport=transport, base_url="http://test") as client:
        for path in ("/api-keys", "/api/api-keys", "/api/keys"):
            assert (await client.get(path)).json() == 1
            assert (await client.head(path)).status_code == 200
            assert (await client.post(path)).headers["Allow"] == "GET, HEAD"
        assert (await client.get("/api")).status_code == 404


async def test_request_is_unchanged_without_a_body() -> None:
    app, router = Application(), APIRouter()

    async def text(text: Annotated[str, Body()] = "") -> str:
        return text

    @router.get("/class")
    @router.post("/class")
    async def class_of(request: Request) -> str:
        return type(request).__name__

    app.include_router(router)
    app.include_router(router, prefix="/text", dependencies=[Depends(text)])
    async with client_of(app) as client:
        assert (await client.get("/class")).json() == "Request"
        assert (await client.post("/class")).json() == "JsonRequest"
        assert (await client.get("/text/class")).json() == "JsonRequest"
