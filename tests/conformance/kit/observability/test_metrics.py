"""Metrics of a process, parsed like Prometheus does."""

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

from app.kit.db.connections.asyncpg_driver import has_listeners
from app.kit.http.authentication import Authentication
from app.kit.http.middleware.responses import ResponseMiddleware
from app.kit.observability import statement_events
from app.kit.settings import MetricsSettings, SettingsError
from app.settings import Settings
from tests.conformance.support.observed_service import (
    COMPILED_READ,
    COMPILED_WRITE,
    SESSION_READ,
    deliver_driver_events,
    observed_service,
    observed_settings,
)
from tests.support.app import client_of
from tests.support.database import clone

DOCUMENT = Path(__file__).parents[4] / "docs" / "observability.md"
# The suffixes of counters, and of counts of histograms.
COUNTED = ("_total", "_count")

Read = Callable[[], Awaitable[dict[str, float]]]


@pytest.fixture(scope="module")
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


def counting_settings(url: URL, port: int) -> Settings:
    settings = observed_settings(url)
    http = settings.http.model_copy(update={"concurrency": 2, "wait_limit": 1})
    return settings.model_copy(update={"metrics": MetricsSettings(port=port), "http": http})


@pytest.fixture(scope="module")
def url(unpooled_template: URL) -> Generator[URL]:
    with clone(unpooled_template) as url:
        yield url


# Module scope, because the port is closed half a second after the shutdown.
@pytest.fixture(scope="module")
async def module_app(anyio_backend: str, url: URL, port: int) -> AsyncGenerator[FastAPI]:
    """The service with a concurrency limit of two, and one connection each for reads and writes."""
    async with observed_service(counting_settings(url, port)) as app:
        yield app


@pytest.fixture
async def read(port: int, module_app: FastAPI) -> AsyncGenerator[Read]:
    """Return a function that reads the metrics, by name and label values."""
    async with AsyncClient(base_url=f"http://127.0.0.1:{port}") as prometheus:

        async def read() -> dict[str, float]:
            await deliver_driver_events()
            text = (await prometheus.get("/metrics")).text
            return {
                f"{sample.name} {' '.join(sample.labels.values())}".strip(): sample.value
                for family in text_string_to_metric_families(text)
                for sample in family.samples
                if "_bucket" not in sample.name
            }

        yield read


async def difference(read: Read, work: Awaitable[object]) -> dict[str, float]:
    """Return how much each counter increased during the work."""
    before = await read()
    await work
    after = await read()
    return {
        name: after[name] - before.get(name, 0)
        for name in after
        if name.split()[0].endswith(COUNTED) and after[name] != before.get(name, 0)
    }


REQUESTS, STATEMENTS = "http_request_duration_seconds_count", "db_statement_duration_seconds_count"


async def test_requests_are_counted_by_route_and_status_class(
    module_client: AsyncClient, read: Read
) -> None:
    async def requests() -> None:
        for path in [
            f"{COMPILED_READ}/1",
            f"{COMPILED_READ}/2",
            "/kit/paths/wrong/word",
            "/nowhere",
            "/else",
        ]:
            await module_client.get(path)
        await module_client.post(f"{COMPILED_READ}/1")
        await module_client.request("BREW", f"{COMPILED_READ}/1")

    increases = await difference(read, requests())
    assert {name: count for name, count in increases.items() if name.startswith(REQUESTS)} == {
        f"{REQUESTS} GET /kit/paths/compiled-read/{{value}} 2xx": 2,
        f"{REQUESTS} GET /kit/paths/wrong/{{value}} 4xx": 1,
        f"{REQUESTS} GET other 4xx": 2,
        f"{REQUESTS} POST /kit/paths/compiled-read/{{value}} 4xx": 1,
        f"{REQUESTS} other /kit/paths/compiled-read/{{value}} 4xx": 1,
    }


@pytest.mark.parametrize(
    ("method", "path", "pool", "count"),
    [
        ("GET", SESSION_READ, "read", 1),
        ("GET", COMPILED_READ, "read", 1),
        ("GET", COMPILED_WRITE, "write", 1),
        # BEGIN and COMMIT are statements as well.
        ("PUT", "/kit/paths/written", "write", 3),
    ],
)
async def test_statements_are_counted_on_every_path(
    module_client: AsyncClient, read: Read, method: str, path: str, pool: str, count: int
) -> None:
    # The first use of a connection sends additional queries.
    await module_client.request(method, f"{path}/1")
    increases = await difference(read, module_client.request(method, f"{path}/2"))
    assert increases[f"{STATEMENTS} {pool}"] == count


async def test_metrics_do_not_disable_compiled_queries(module_app: FastAPI) -> None:
    assert not any(has_listeners(engine) for engine in module_app.state.database.pools.values())


async def test_running_and_queued_requests_are_reported(
    module_client: AsyncClient, read: Read
) -> None:
    await module_client.get(f"{SESSION_READ}/1")
    rejected = (await read())["http_requests_rejected_total"]
    slow_requests = [
        asyncio.create_task(module_client.get(f"{SESSION_READ}/{number}?seconds=1.2"))
        for number in range(3)
    ]
    async with asyncio.timeout(5):
        seen = await read()
        while seen["http_requests_waiting"] + seen["db_pool_waiting read"] < 2:
            seen = await read()
    assert seen["db_pool_size read"] == 1
    assert seen["db_pool_connections read in_use"] == 1
    assert seen["db_pool_connections read idle"] == 0
    assert seen["db_pool_waiting read"] == 1
    assert (seen["http_concurrency_limit"], seen["http_requests_in_progress"]) == (2, 2)
    assert (seen["http_requests_waiting"], seen["http_requests_rejected_total"]) == (1, rejected)

    statuses = sorted([response.status_code for response in await asyncio.gather(*slow_requests)])

    assert statuses == [200, 200, 503]
    seen = await read()
    assert seen["http_requests_rejected_total"] == rejected + 1
    assert seen["http_requests_waiting"] == 0
    assert (seen["db_pool_connections read in_use"], seen["db_pool_waiting read"]) == (0, 0)


async def test_retries_and_unknown_outcomes_are_counted(
    module_client: AsyncClient, read: Read
) -> None:
    increases = await difference(read, module_client.put("/kit/paths/retried"))
    assert increases["db_retries_total"] == 1
    increases = await difference(read, module_client.put("/kit/paths/broken"))
    assert increases["db_outcomes_unknown_total"] == 1


async def test_observability_page_documents_every_metric(
    module_client: AsyncClient, read: Read
) -> None:
    await module_client.get(f"{SESSION_READ}/1")
    documented = {
        name
        for line in DOCUMENT.read_text().splitlines()
        for name in re.findall(r"^\| `((?:http|db)_\w+)", line)
    }
    exported = {re.sub("_(count|sum|created)$", "", name.split()[0]) for name in await read()}
    assert documented == {name for name in exported if not name.startswith("process_")}


async def test_metrics_port_in_use_is_reported(url: URL, port: int, module_app: FastAPI) -> None:
    with pytest.raises(SettingsError, match=f"METRICS_PORT: cannot listen on port {port}"):
        async with observed_service(counting_settings(url, port)):
            pass


async def test_without_metrics_port_nothing_is_installed(
    url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Authentication may add middleware around all others.
    monkeypatch.setattr(Authentication, "wrap", lambda _self, app: app)
    threads = threading.active_count()
    async with observed_service(observed_settings(url)) as app:
        outermost = app.build_middleware_stack()
        assert isinstance(outermost, ResponseMiddleware)
        assert outermost.record_request is None
        for engine in app.state.database.pools.values():
            assert not [*engine.sync_engine.dialect.dispatch.do_execute]
            connects = [*engine.sync_engine.pool.dispatch.connect]
            assert not [each for each in connects if each.__module__ == statement_events.__name__]
        async with client_of(app) as client:
            assert (await client.get("/metrics")).status_code == 404
            assert threading.active_count() == threads
            assert "/metrics" not in (await client.get("/openapi.json")).json()["paths"]
