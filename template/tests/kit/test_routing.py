"""A router is passed over where a path is not its own, and else does what FastAPI's does."""

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from httpx2 import AsyncClient
from starlette.routing import Match
from starlette.types import Scope

from app.kit.routing import FeatureRouter
from tests.rig.app import client_of


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of the routes that were compared with a request's."""
    paths: list[str] = []
    matches = APIRoute.matches

    def listen(route: APIRoute, scope: Scope) -> tuple[Match, Scope]:
        paths.append(route.path)
        return matches(route, scope)

    monkeypatch.setattr(APIRoute, "matches", listen)
    return paths


@pytest.fixture
def client() -> AsyncClient:
    """A client of an application with features, one of them included below another prefix."""
    app = FastAPI()
    apples, pears = FeatureRouter(prefix="/apples"), FeatureRouter(prefix="/pears")
    boxes = FeatureRouter(prefix="/boxes/{box}")

    @apples.get("")
    @apples.get("/{number}")
    async def read_apple(number: int = 0) -> int:
        return number

    @pears.get("/{number}")
    async def read_pear(number: int) -> int:
        return -number

    @boxes.get("/weight")
    async def weigh(box: int) -> int:
        return box * 10

    app.include_router(apples)
    app.include_router(boxes)
    app.include_router(pears, prefix="/fruit")
    return client_of(app)


@pytest.mark.parametrize(
    ("path", "answer"),
    [("/apples", 0), ("/apples/7", 7), ("/fruit/pears/7", -7), ("/boxes/7/weight", 70)],
)
async def test_a_path_leads_where_it_should(client: AsyncClient, path: str, answer: int) -> None:
    assert (await client.get(path)).json() == answer


async def test_no_path_of_another_feature_is_looked_at(
    client: AsyncClient, asked: list[str]
) -> None:
    assert (await client.get("/fruit/pears/7")).is_success
    assert "/apples" not in asked


@pytest.mark.parametrize("path", ["/", "/applesauce", "/apple", "/pears/7"])
async def test_what_is_nowhere_is_not_found(client: AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 404


async def test_another_method_is_not_allowed(client: AsyncClient) -> None:
    assert (await client.post("/apples")).status_code == 405
