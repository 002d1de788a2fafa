"""More requests than connections: they wait in line for a while, and nobody else does."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from httpx2 import AsyncClient, TimeoutException
from sqlalchemy import URL, text

from app.kit.application import Application
from app.kit.db.session import SessionDep
from app.kit.health import router as health
from app.kit.http.settings import HttpSettings
from app.main import create_app
from app.settings import Settings
from tests.rig.app import client_of, running
from tests.rig.database import settings_for, settings_with


def with_http(settings: Settings, **http: object) -> Settings:
    """The settings, changed in some fields of this group."""
    return settings.model_copy(update={"http": HttpSettings.model_validate(http)})


class Busy:
    """An application whose requests stay at work until they are told to end."""

    def __init__(self, **http: object) -> None:
        self.app = Application(http=HttpSettings.model_validate(http), places=1)
        self.app.include_router(health)
        self.app.add_api_route("/kit/work", self.work)
        self.app.add_api_route("/kit/stream", self.stream, response_model=None)
        self.at_work = asyncio.Event()
        self.end = asyncio.Event()
        self.worked = 0

    async def work(self) -> None:
        self.at_work.set()
        await self.end.wait()
        self.worked += 1

    async def stream(self) -> StreamingResponse:
        async def parts() -> AsyncGenerator[str]:
            yield "first"
            await self.work()

        return StreamingResponse(parts())


async def test_fifty_at_once_are_answered_in_the_order_of_their_arrival(
    own_database_url: URL,
) -> None:
    # A request that had to wait for the pool would be a 503 at once.
    settings = settings_with(own_database_url, pool_size=2, max_overflow=0, pool_timeout=0.001)
    app = create_app(settings)
    order: list[int] = []
    at_work: list[int] = []

    @app.get("/kit/work/{number}")
    async def work(number: int, session: SessionDep) -> int:
        order.append(number)
        at_work.append(number)
        most.append(len(at_work))
        await session.execute(text("SELECT pg_sleep(0.002)"))
        at_work.remove(number)
        return number

    most: list[int] = []
    async with running(app), client_of(app) as client:
        # The first request prepares the routes.
        await client.get("/kit/work/0")
        order.clear()
        answers = await asyncio.gather(*(client.get(f"/kit/work/{each}") for each in range(50)))
    assert [answer.status_code for answer in answers] == [200] * 50
    assert order == list(range(50))
    assert max(most) == 2


async def test_who_waits_for_too_long_is_told_when_to_come_back() -> None:
    busy = Busy(wait_limit=0.02)
    async with client_of(busy.app) as client, asyncio.TaskGroup() as tasks:
        first = tasks.create_task(client.get("/kit/work"))
        await busy.at_work.wait()
        late = await asyncio.gather(*(client.get("/kit/work") for _ in range(20)))
        busy.end.set()
    assert first.result().status_code == 200
    assert {answer.status_code for answer in late} == {503}
    assert late[0].headers["Retry-After"] == "1"
    assert late[0].headers["content-type"] == "application/problem+json"
    assert busy.worked == 1


async def test_health_and_a_browser_that_asks_first_do_not_wait() -> None:
    busy = Busy(origins="https://shop.example.org")
    asks = {"Origin": "https://shop.example.org", "Access-Control-Request-Method": "GET"}
    async with client_of(busy.app) as client, asyncio.TaskGroup() as tasks:
        tasks.create_task(client.get("/kit/work"))
        await busy.at_work.wait()
        assert (await client.get("/health/live")).status_code == 200
        assert (await client.options("/kit/work", headers=asks)).status_code == 200
        busy.end.set()


async def test_a_stream_keeps_its_place_until_it_ends() -> None:
    busy = Busy(wait_limit=0.02)
    async with client_of(busy.app) as client, asyncio.TaskGroup() as tasks:
        stream = tasks.create_task(client.get("/kit/stream"))
        await busy.at_work.wait()
        assert (await client.get("/kit/work")).status_code == 503
        busy.end.set()
    assert stream.result().text == "first"
    async with client_of(busy.app) as client:
        assert (await client.get("/kit/work")).status_code == 200


async def call(app: FastAPI, messages: "asyncio.Queue[dict[str, Any]]") -> list[dict[str, Any]]:
    """One request, of which the test itself says what arrives when; what is sent to it."""
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "http_version": "1.1", "method": "GET", "path": "/kit/work"}
    await app({**scope, "query_string": b"", "headers": []}, messages.get, send)
    return sent


async def test_who_goes_away_while_waiting_is_not_worked_for() -> None:
    busy = Busy()
    messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    messages.put_nowait({"type": "http.request"})
    async with client_of(busy.app) as client, asyncio.TaskGroup() as tasks:
        tasks.create_task(client.get("/kit/work"))
        await busy.at_work.wait()
        waiting = tasks.create_task(call(busy.app, messages))
        await asyncio.sleep(0)
        messages.put_nowait({"type": "http.disconnect"})
        busy.end.set()
        assert await waiting == []
    assert busy.worked == 1


@pytest.mark.parametrize("pooler", ["none", "pgbouncer"])
async def test_there_are_as_many_places_as_connections_unless_set(
    own_database_url: URL, pooler: str
) -> None:
    settings = settings_with(own_database_url, pooler=pooler, pool_size=3, max_overflow=4)
    assert settings.places == 7
    assert with_http(settings, concurrency=5).places == 5


async def test_the_service_takes_the_limits_of_its_settings(own_database_url: URL) -> None:
    settings = with_http(settings_for(own_database_url), concurrency=3, body_limit=2000)
    app = create_app(settings)
    assert isinstance(app, Application)
    assert (app.places, app.http) == (3, settings.http)


async def test_the_server_knows_who_went_away_while_waiting() -> None:
    busy = Busy()
    server = uvicorn.Server(uvicorn.Config(busy.app, port=0, lifespan="off", log_config=None))
    listening = socket.create_server(("127.0.0.1", 0))
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(server.serve([listening]))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        async with AsyncClient(base_url=url, timeout=10) as client:
            first = tasks.create_task(client.get("/kit/work"))
            await busy.at_work.wait()
            patient = tasks.create_task(client.get("/kit/work"))
            with pytest.raises(TimeoutException):
                await client.get("/kit/work", timeout=0.1)
            # The server is told within this loop, which only has to turn.
            await asyncio.sleep(0.2)
            busy.end.set()
            assert ((await first).status_code, (await patient).status_code) == (200, 200)
        server.should_exit = True
        await serving
    assert busy.worked == 2
