"""The check of strict routes finds routes with lenient validation."""

from datetime import datetime
from types import SimpleNamespace
from typing import Annotated, Any

from fastapi import Depends, FastAPI, WebSocket
from fastapi.routing import APIRoute

from app.kit.http.application import Application
from app.kit.http.schemas import UtcDatetime
from tests.architecture.test_strict_routes import find_differences, lenient_routes


def test_lenient_routes_are_found() -> None:
    class OwnRoute(APIRoute):
        """A team's own route class."""

    async def since(since: list[datetime] | None = None) -> Any:
        return since

    async def endpoint(at: datetime) -> None:
        """Accept a datetime."""

    app, plain, strict = Application(), FastAPI(openapi_url=None), Application(openapi_url=None)
    app.get("/strict")(endpoint)
    app.router.add_api_route("/own", endpoint, route_class_override=OwnRoute)
    plain.get("/plain")(endpoint)
    strict.get("/strict")(endpoint)
    app.mount("/mounted", plain)
    app.mount("/application", strict)

    @app.websocket("/kit/talk")
    async def talk(
        socket: WebSocket, at: datetime, ok: UtcDatetime, since: Annotated[Any, Depends(since)]
    ) -> None: ...

    remedy = "of app.kit.http.routing, or mount an Application in place of FastAPI"
    assert lenient_routes(app) == [
        f"/own: derive OwnRoute from StrictRoute {remedy}",
        f"/mounted/plain: derive APIRoute from StrictRoute {remedy}",
        "/kit/talk: declare at as `UtcDatetime` of app.kit.http.schemas, not as datetime",
        "/kit/talk: declare since as `UtcDatetime` of app.kit.http.schemas, not as datetime",
    ]


def test_missing_fastapi_internals_are_reported() -> None:
    names = ["validate", "_type_adapter", "field_info", "name", "alias"]
    assert find_differences(object()) == names
    own = dict.fromkeys(names, lambda value: value)
    assert find_differences(SimpleNamespace(**own)) == ["validate(['value'])"]
