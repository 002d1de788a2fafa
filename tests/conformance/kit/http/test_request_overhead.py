"""Requests do not repeat work whose result can be reused.

Such work does not change a response, so each test counts calls. A failing test means wasted
time, not a wrong result.
"""

import asyncio
import inspect
import logging
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AsyncExitStack
from typing import Any, get_args

import pytest
import structlog
from fastapi.dependencies.utils import get_dependant
from prometheus_client import Histogram
from pydantic import BaseModel
from sqlalchemy import URL, event, text
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from app.kit.db.connections import asyncpg_driver
from app.kit.db.session import Database
from app.kit.http.dependencies import get_read_database, get_read_session, get_session
from app.kit.http.etag import ETag
from app.kit.http.middleware.concurrency_limiter import ConcurrencyLimiter
from app.kit.http.middleware.request_limits import RequestLimitsMiddleware
from app.kit.http.middleware.responses import ResponseMiddleware
from app.kit.http.middleware.security import add_security_middleware, security_headers
from app.kit.http.settings import HttpSettings
from app.kit.observability.logging import configure_logging
from app.kit.observability.metrics import Metrics
from app.kit.queries.compiled import statement_cache
from app.kit.queries.view import View
from app.kit.settings import LogSettings, MetricsSettings
from tests.conformance.support.simple_models import Own, Thing
from tests.conformance.support.tcp_proxy import Break, tcp_proxy
from tests.support.database import settings_with

Spy = Callable[[object, str], list[str]]


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> Spy:
    """Count the calls of a function without changing it."""

    def count_calls(owner: object, name: str) -> list[str]:
        calls: list[str] = []
        original = getattr(owner, name)

        def recorded(*arguments: Any, **named: Any) -> Any:
            calls.append(name)
            return original(*arguments, **named)

        monkeypatch.setattr(owner, name, recorded)
        return calls

    return count_calls


@pytest.fixture
async def database(unpooled_url: URL) -> AsyncGenerator[Database]:
    """A database with a table, and one idle connection each for writes and reads."""
    settings = settings_with(
        unpooled_url, pooler="none", pool_size=2, max_overflow=0, pool_pre_ping=False
    )
    database = Database.open(settings.database, "kit")
    async with database.transaction() as session, database.reading() as reading:
        await (await session.connection()).run_sync(Own.metadata.create_all)
        await reading.execute(text("SELECT 1"))
    yield database
    await database.close()


# ------------------------------------------------------------------ connections


@pytest.mark.parametrize(("pre_ping", "expected"), [(False, [1, 3]), (True, [2, 6])])
async def test_pre_ping_adds_a_round_trip_to_each_use(
    unpooled_url: URL, pre_ping: bool, expected: list[int]
) -> None:
    async with tcp_proxy(unpooled_url) as proxy:
        settings = settings_with(proxy.url, pooler="none", pool_pre_ping=pre_ping)
        database = Database.open(settings.database, "kit")
        round_trips: list[int] = []
        for work in (database.reading, database.transaction):
            # The first use connects, and the second prepares the statement.
            for _ in range(3):
                proxy.break_at(0, Break.BEFORE)
                async with work() as session:
                    await session.execute(text("SELECT 1"))
            round_trips.append(proxy.messages)
        assert round_trips == expected
        await database.close()


@pytest.mark.parametrize(("size", "overflow", "opened"), [(4, 0, 4), (2, 2, 8)])
async def test_pool_without_overflow_keeps_all_connections(
    unpooled_url: URL, size: int, overflow: int, opened: int
) -> None:
    settings = settings_with(unpooled_url, pooler="none", pool_size=size, max_overflow=overflow)
    database = Database.open(settings.database, "kit")
    connected: list[object] = []
    event.listen(database.engine.sync_engine, "connect", lambda *it: connected.append(it))
    for _ in range(3):
        async with AsyncExitStack() as at_once:
            for _ in range(4):
                await at_once.enter_async_context(database.engine.connect())
    assert len(connected) == opened
    await database.close()


async def test_most_recently_used_connection_is_reused(database: Database) -> None:
    async def backend(engine: AsyncEngine) -> Any:
        async with engine.connect() as connection:
            return await connection.scalar(text("SELECT pg_backend_pid()"))

    async with database.engine.connect():
        other = await backend(database.engine)
    first = await backend(database.engine)
    assert other != first
    assert await backend(database.engine) == first


# ------------------------------------------------------------------ dependencies


def is_awaited(call: Any) -> bool:
    """Whether FastAPI awaits the function; other functions run in a thread."""
    return inspect.iscoroutinefunction(call) or inspect.isasyncgenfunction(call)


@pytest.mark.parametrize(
    ("call", "needs"),
    [
        (get_session, []),
        (get_read_session, []),
        (get_read_database, []),
        (get_args(ETag)[1].dependency, []),
    ],
)
def test_kit_dependencies_are_async_and_have_few_dependencies(call: Any, needs: list[Any]) -> None:
    solved = get_dependant(path="/", call=call)
    assert [other.call for other in solved.dependencies] == needs
    assert is_awaited(call)


# ------------------------------------------------------------------ statements of a view


class New(BaseModel):
    number: int
    name: str


class Number(BaseModel):
    number: int


async def test_view_statement_is_compiled_once(database: Database, spy: Spy) -> None:
    compiled, view = spy(statement_cache, "prepare"), View(Number, Thing)
    for number in range(3):
        new = New(number=number, name=str(number))
        await view.insert(database, new)
        assert await view.first(database, view.select().where(Thing.number == number))
        assert await view.get(database, number)
    assert len(compiled) == 3


async def test_statement_that_depends_on_its_values_is_compiled_once(
    database: Database, spy: Spy
) -> None:
    compiled, view = spy(statement_cache, "prepare"), View(Number, Thing)
    for numbers in ([1], [1, 2], []):
        assert await view.list(database, view.select().where(Thing.number.in_(numbers))) == []
    assert len(compiled) == 1


async def test_views_use_neither_sqlalchemy_connections_nor_greenlets(
    database: Database, spy: Spy
) -> None:
    spawned, connected = spy(asyncpg_driver, "greenlet_spawn"), list[object]()
    for engine in database.pools.values():
        event.listen(engine.sync_engine, "engine_connect", connected.append)
    new = New(number=1, name="a")
    view = View(Number, Thing)
    await view.insert(database, new)
    assert await view.get(database, 1)
    assert (spawned, connected) == ([], [])


# ------------------------------------------------------------------ middleware


REQUEST = {"type": "http", "method": "GET", "path": "/kit"}


async def nothing(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


async def ignore(_message: Message) -> None:
    """Drop the message."""


async def pass_layers(headers: list[tuple[bytes, bytes]], layers: Any) -> dict[bytes, bytes]:
    """Send a request through the middleware; return the response headers."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    await layers({**REQUEST, "headers": headers}, receive, send)
    return dict(sent[0]["headers"])


async def test_middleware_does_not_decode_headers_or_rebuild_constant_ones(
    spy: Spy,
) -> None:
    settings = HttpSettings(hsts=3600)
    layers = ResponseMiddleware(
        add_security_middleware(RequestLimitsMiddleware(nothing, settings, 1), settings),
        None,
        security_headers(settings),
    )
    items_calls, get_calls = spy(Headers, "items"), spy(Headers, "get")
    responses = [await pass_layers([(b"x-request-id", b"it")], layers) for _ in range(2)]
    assert (items_calls, get_calls) == ([], [])
    first, second = (response[b"strict-transport-security"] for response in responses)
    assert first is second


async def test_queue_uses_one_timer_and_no_task(spy: Spy) -> None:
    limiter = ConcurrencyLimiter(1, wait_limit=60)
    await limiter.acquire()
    timers = spy(asyncio.get_running_loop(), "call_at")
    waiting = [asyncio.create_task(limiter.acquire()) for _ in range(50)]
    before = asyncio.all_tasks()
    await asyncio.sleep(0)
    assert limiter.waiting == 50
    assert (len(timers), asyncio.all_tasks()) == (1, before)
    limiter.release()
    for turn in waiting:
        assert await turn
        limiter.release()


async def test_disconnect_is_checked_only_when_a_request_is_admitted() -> None:
    end, received = asyncio.Event(), list[int]()

    async def work(scope: Scope, receive: Receive, send: Send) -> None:
        await end.wait()
        await nothing(scope, receive, send)

    layer = RequestLimitsMiddleware(work, HttpSettings(), 1)

    async def request(number: int) -> None:
        async def receive() -> Message:
            received.append(number)
            if received.count(number) > 1:
                await asyncio.Event().wait()
            return {"type": "http.request"}

        await layer({**REQUEST, "headers": []}, receive, ignore)

    before = asyncio.all_tasks()
    requests = {asyncio.create_task(request(number)) for number in range(3)}
    for _ in range(5):
        await asyncio.sleep(0)
    assert asyncio.all_tasks() == before | requests
    assert sorted(received) == [0, 1, 2]
    end.set()
    await asyncio.gather(*requests)
    assert len(received) == 3 + 2


# ------------------------------------------------------------------ logging and metrics


@pytest.fixture
def logged_warnings() -> Generator[list[Any]]:
    """The events that are logged at level WARNING."""
    config, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers, root.level
    configure_logging(LogSettings(level="WARNING"))
    events: list[Any] = []

    def write(_logger: object, _name: str, event: Any) -> Any:
        events.append(event["event"])
        raise structlog.DropEvent

    structlog.configure(processors=[write])
    yield events
    structlog.configure(**config)
    root.handlers, root.level = handlers, level


def test_filtered_log_events_are_not_rendered(logged_warnings: list[Any]) -> None:
    log = structlog.get_logger("kit.spared")
    log.info("request")
    log.warning("slow")
    assert logged_warnings == ["slow"]
    # Loggers are cached after their first use.
    assert structlog.get_config()["cache_logger_on_first_use"]


def test_metric_is_looked_up_once_per_label_set(spy: Spy) -> None:
    metrics = Metrics(MetricsSettings(port=1))
    found = spy(Histogram, "labels")
    for _ in range(3):
        metrics.request({"type": "http", "method": "GET"}, 200, 0.1)
        metrics.statement("read", "SELECT 1", 0.1)
    assert len(found) == 2
