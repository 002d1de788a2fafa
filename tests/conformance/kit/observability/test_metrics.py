"""What a process counts, read as Prometheus reads it."""

import asyncio
import re
import socket
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from pathlib import Path

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import URL

from app.kit.db import watching
from app.kit.db.driver import is_watched
from app.kit.request_id import RequestIdMiddleware
from app.kit.settings import MetricsSettings, SettingsError
from app.settings import Settings
from tests.conformance.support.watched import (
    HOT,
    HOT_WRITE,
    ORDINARY,
    a_turn,
    watched,
    watched_settings,
)
from tests.rig.app import client_of
from tests.rig.database import clone

DOCUMENT = Path(__file__).parents[4] / "docs" / "observability.md"
# Of a family that is a histogram, those that count.
COUNTED = ("_total", "_count")

Read = Callable[[], Awaitable[dict[str, float]]]


@pytest.fixture(scope="module")
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


def counting_settings(url: URL, port: int) -> Settings:
    settings = watched_settings(url)
    http = settings.http.model_copy(update={"concurrency": 2, "wait_limit": 0.3})
    return settings.model_copy(update={"metrics": MetricsSettings(port=port), "http": http})


@pytest.fixture(scope="module")
def url(unpooled_template: URL) -> Generator[URL]:
    with clone(unpooled_template) as url:
        yield url


# One for all: the port is closed half a second after it was told to.
@pytest.fixture(scope="module")
async def served(anyio_backend: str, url: URL, port: int) -> AsyncGenerator[FastAPI]:
    """The service with two places for requests, on a connection to read and one to write."""
    async with watched(counting_settings(url, port)) as app:
        yield app


@pytest.fixture
async def read(port: int, served: FastAPI) -> AsyncGenerator[Read]:
    """Read the metrics, as `name{label="value"}`."""
    async with AsyncClient(base_url=f"http://127.0.0.1:{port}") as prometheus:

        async def read() -> dict[str, float]:
            await a_turn()
            text = (await prometheus.get("/metrics")).text
            return {
                f"{sample.name} {' '.join(sample.labels.values())}".strip(): sample.value
                for family in text_string_to_metric_families(text)
                for sample in family.samples
                if "_bucket" not in sample.name
            }

        yield read


async def difference(read: Read, work: Awaitable[object]) -> dict[str, float]:
    """What was counted meanwhile."""
    before = await read()
    await work
    after = await read()
    return {
        name: after[name] - before.get(name, 0)
        for name in after
        if name.split()[0].endswith(COUNTED) and after[name] != before.get(name, 0)
    }


REQUESTS, STATEMENTS = "http_request_duration_seconds_count", "db_statement_duration_seconds_count"


async def test_requests_are_counted_by_route_and_class_of_status(
    caller: AsyncClient, read: Read
) -> None:
    async def requests() -> None:
        for path in [f"{HOT}/1", f"{HOT}/2", "/kit/ways/wrong/word", "/nowhere", "/else"]:
            await caller.get(path)
        await caller.post(f"{HOT}/1")
        await caller.request("BREW", f"{HOT}/1")

    counted = await difference(read, requests())
    assert {name: count for name, count in counted.items() if name.startswith(REQUESTS)} == {
        f"{REQUESTS} GET /kit/ways/hot/{{value}} 2xx": 2,
        f"{REQUESTS} GET /kit/ways/wrong/{{value}} 4xx": 1,
        f"{REQUESTS} GET other 4xx": 2,
        f"{REQUESTS} POST /kit/ways/hot/{{value}} 4xx": 1,
        f"{REQUESTS} other /kit/ways/hot/{{value}} 4xx": 1,
    }


@pytest.mark.parametrize(
    ("method", "path", "pool", "count"),
    [
        ("GET", ORDINARY, "read", 1),
        ("GET", HOT, "read", 1),
        ("GET", HOT_WRITE, "write", 1),
        # BEGIN and COMMIT are round trips too.
        ("PUT", "/kit/ways/written", "write", 3),
    ],
)
async def test_statements_are_counted_whichever_way_they_went(
    caller: AsyncClient, read: Read, method: str, path: str, pool: str, count: int
) -> None:
    # The first use of a connection asks the server about itself.
    await caller.request(method, f"{path}/1")
    counted = await difference(read, caller.request(method, f"{path}/2"))
    assert counted[f"{STATEMENTS} {pool}"] == count


async def test_the_short_ways_stay_short_while_they_are_counted(served: FastAPI) -> None:
    assert not any(is_watched(engine) for engine in served.state.database.pools.values())


async def test_who_works_and_who_waits_for_what_can_be_seen(
    caller: AsyncClient, read: Read
) -> None:
    await caller.get(f"{ORDINARY}/1")
    shed = (await read())["http_requests_shed_total"]
    asleep = [
        asyncio.create_task(caller.get(f"{ORDINARY}/{number}?seconds=0.4")) for number in range(3)
    ]
    await asyncio.sleep(0.1)
    seen = await read()
    assert seen["db_pool_size read"] == 1
    assert seen["db_pool_connections read in_use"] == 1
    assert seen["db_pool_connections read idle"] == 0
    assert seen["db_pool_waiting read"] == 1
    assert (seen["http_places"], seen["http_requests_at_work"]) == (2, 2)
    assert (seen["http_requests_waiting"], seen["http_requests_shed_total"]) == (1, shed)

    statuses = sorted([answer.status_code for answer in await asyncio.gather(*asleep)])

    assert statuses == [200, 200, 503]
    seen = await read()
    assert (seen["http_requests_shed_total"], seen["http_requests_waiting"]) == (shed + 1, 0)
    assert (seen["db_pool_connections read in_use"], seen["db_pool_waiting read"]) == (0, 0)


async def test_what_is_done_again_and_what_nobody_knows_is_counted(
    caller: AsyncClient, read: Read
) -> None:
    counted = await difference(read, caller.put("/kit/ways/retried"))
    assert counted["db_retries_total"] == 1
    counted = await difference(read, caller.put("/kit/ways/broken"))
    assert counted["db_outcomes_unknown_total"] == 1


async def test_the_document_tells_the_metrics_that_there_are(
    caller: AsyncClient, read: Read
) -> None:
    await caller.get(f"{ORDINARY}/1")
    told = {
        name
        for line in DOCUMENT.read_text().splitlines()
        for name in re.findall(r"^\| `((?:http|db)_\w+)", line)
    }
    there = {re.sub("_(count|sum|created)$", "", name.split()[0]) for name in await read()}
    assert told == {name for name in there if not name.startswith("process_")}


async def test_a_port_that_is_taken_is_named(url: URL, port: int, served: FastAPI) -> None:
    with pytest.raises(SettingsError, match=f"METRICS_PORT: cannot listen on port {port}"):
        async with watched(counting_settings(url, port)):
            pass


async def test_without_a_port_nothing_is_added(url: URL) -> None:
    threads = threading.active_count()
    async with watched(watched_settings(url)) as app:
        outermost = app.build_middleware_stack()
        assert isinstance(outermost, RequestIdMiddleware)
        assert outermost.count is None
        for engine in app.state.database.pools.values():
            assert not [*engine.sync_engine.dialect.dispatch.do_execute]
            connects = [*engine.sync_engine.pool.dispatch.connect]
            assert not [each for each in connects if each.__module__ == watching.__name__]
        async with client_of(app) as client:
            assert (await client.get("/metrics")).status_code == 404
            assert threading.active_count() == threads
            assert "/metrics" not in (await client.get("/openapi.json")).json()["paths"]
