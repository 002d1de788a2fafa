"""The concurrency limiter queues more requests than connections, for a limited time."""

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

from app.kit.http.application import Application
from app.kit.http.dependencies import SessionDep
from app.kit.http.settings import HttpSettings
from app.kit.observability.health import router as health
from app.main import create_app
from app.settings import Settings
from tests.conformance.support.asgi import http_scope
from tests.support.app import client_of, running
from tests.support.database import settings_for, settings_with


def with_http(settings: Settings, **http: object) -> Settings:
    """Return the settings with these HTTP settings replaced."""
    return settings.model_copy(update={"http": HttpSettings.model_validate(http)})


class Busy:
    """An application whose requests do not end until `end` is set."""

    def __init__(self, **http: object) -> None:
        self.app = Application(http=HttpSettings.model_validate(http), concurrency_limit=1)
        self.app.include_router(health)
        self.app.add_api_route("/kit/work", self.work)
        self.app.add_api_route("/kit/http/streaming", self.stream, response_model=None)
        self.in_progress = asyncio.Event()
        self.end = asyncio.Event()
        self.completed = 0

    async def work(self) -> None:
        self.in_progress.set()
        await self.end.wait()
        self.completed += 1

    async def stream(self) -> StreamingResponse:
        async def parts() -> AsyncGenerator[str]:
            yield "first"
            await self.work()

        return StreamingResponse(parts())


async def test_queued_requests_are_processed_in_order_of_arrival(
    own_database_url: URL,
) -> None:
    # With this timeout, a request that waits for the pool is a 503 immediately.
    settings = settings_with(own_database_url, pool_size=2, max_overflow=0, pool_timeout=0.001)
    app = create_app(settings)
    order: list[int] = []
    in_progress: list[int] = []

    @app.get("/kit/work/{number}")
    async def work(number: int, session: SessionDep) -> int:
        order.append(number)
        in_progress.append(number)
        concurrency.append(len(in_progress))
        await session.execute(text("SELECT pg_sleep(0.002)"))
        in_progress.remove(number)
        return number

    concurrency: list[int] = []
    async with running(app), client_of(app) as client:
        # The first request initializes the routes.
        await client.get("/kit/work/0")
        order.clear()
        responses = await asyncio.gather(*(client.get(f"/kit/work/{each}") for each in range(50)))
    assert [response.status_code for response in responses] == [200] * 50
    assert order == list(range(50))
    assert max(concurrency) == 2


async def test_queued_request_times_out_with_503_and_retry_after() -> None:
    busy = Busy(wait_limit=0.02)
    async with client_of(busy.app) as client, asyncio.TaskGroup() as tasks:
        first = tasks.create_task(client.get("/kit/work"))
        await busy.in_progress.wait()
        late = await asyncio.gather(*(client.get("/kit/work") for _ in range(20)))
        busy.end.set()
    assert first.result().status_code == 200
    assert {response.status_code for response in late} == {503}
    assert late[0].headers["Retry-After"] == "1"
    assert late[0].headers["content-type"] == "application/problem+json"
    assert busy.completed == 1


async def test_health_checks_and_preflight_requests_are_not_queued() -> None:
    busy = Busy(origins="https://shop.example.org")
    headers = {"Origin": "https://shop.example.org", "Access-Control-Request-Method": "GET"}
    async with client_of(busy.app) as client, asyncio.TaskGroup() as tasks:
        tasks.create_task(client.get("/kit/work"))
        await busy.in_progress.wait()
        assert (await client.get("/health/live")).status_code == 200
        assert (await client.options("/kit/work", headers=headers)).status_code == 200
        busy.end.set()


async def test_streaming_response_keeps_its_slot_until_it_ends() -> None:
    busy = Busy(wait_limit=0.02)
    async with client_of(busy.app) as client, asyncio.TaskGroup() as tasks:
        stream = tasks.create_task(client.get("/kit/http/streaming"))
        await busy.in_progress.wait()
        assert (await client.get("/kit/work")).status_code == 503
        busy.end.set()
    assert stream.result().text == "first"
    async with client_of(busy.app) as client:
        assert (await client.get("/kit/work")).status_code == 200


async def call(app: FastAPI, messages: "asyncio.Queue[dict[str, Any]]") -> list[dict[str, Any]]:
    """Send one request with messages from a queue; return the response messages."""
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await app(http_scope("GET", "/kit/work"), messages.get, send)
    return sent


async def test_request_of_disconnected_client_is_not_processed() -> None:
    busy = Busy()
    messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    messages.put_nowait({"type": "http.request"})
    async with client_of(busy.app) as client, asyncio.TaskGroup() as tasks:
        tasks.create_task(client.get("/kit/work"))
        await busy.in_progress.wait()
        waiting = tasks.create_task(call(busy.app, messages))
        await asyncio.sleep(0)
        # Its slot goes to the next request.
        next_request = tasks.create_task(client.get("/kit/work"))
        messages.put_nowait({"type": "http.disconnect"})
        busy.end.set()
        assert await waiting == []
        assert (await next_request).status_code == 200
    assert busy.completed == 2


@pytest.mark.parametrize("pooler", ["none", "pgbouncer"])
async def test_concurrency_limit_defaults_to_pool_size(own_database_url: URL, pooler: str) -> None:
    settings = settings_with(own_database_url, pooler=pooler, pool_size=3, max_overflow=4)
    assert settings.concurrency_limit == 7
    assert with_http(settings, concurrency=5).concurrency_limit == 5


async def test_service_uses_its_http_settings(own_database_url: URL) -> None:
    settings = with_http(settings_for(own_database_url), concurrency=3, body_limit=2000)
    app = create_app(settings)
    assert isinstance(app, Application)
    assert (app.concurrency_limit, app.http) == (3, settings.http)


async def test_uvicorn_reports_clients_that_disconnect_while_queued() -> None:
    busy = Busy()
    server = uvicorn.Server(uvicorn.Config(busy.app, port=0, lifespan="off", log_config=None))
    listening = socket.create_server(("127.0.0.1", 0))
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(server.serve([listening]))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        async with AsyncClient(base_url=url, timeout=10) as client:
            first = tasks.create_task(client.get("/kit/work"))
            await busy.in_progress.wait()
            patient = tasks.create_task(client.get("/kit/work"))
            with pytest.raises(TimeoutException):
                await client.get("/kit/work", timeout=0.1)
            # uvicorn reads the disconnect on this event loop, so the test only has to wait.
            await asyncio.sleep(0.2)
            busy.end.set()
            assert ((await first).status_code, (await patient).status_code) == (200, 200)
        server.should_exit = True
        await serving
    assert busy.completed == 2
