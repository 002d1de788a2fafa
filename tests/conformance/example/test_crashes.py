"""Kill PostgreSQL during concurrent writes and compare its rows with the responses.

At full scale: `--full-scale -rP`.
"""

from asyncio import TaskGroup, sleep, to_thread
from collections import Counter
from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass, field
from itertools import count, cycle
from random import randint
from signal import SIGKILL, SIGQUIT
from time import monotonic
from typing import Any
from uuid import uuid4

import pytest
import structlog
from fastapi import FastAPI
from httpx2 import AsyncClient, Response
from sqlalchemy import URL, select, text

from app.example.orders.models import OrderLine
from app.example.tags.models import Tag
from app.main import create_app
from tests.conformance.support.crash_server import CrashingServer, crashing_server
from tests.conformance.support.tcp_proxy import Break, TcpProxy, tcp_proxy
from tests.example.factories import as_json
from tests.example.order_factories import Shop, open_shop
from tests.support.app import client_of, running
from tests.support.database import migrated, settings_with

WRITERS = 16
# Seconds before a client repeats a request after a 503.
RETRY_DELAY = 0.1
PLENTY, FEW = 50_000_000, 20
_log = structlog.get_logger(__name__)


@dataclass
class Write:
    """A write that is stored at most once, with its responses."""

    path: str
    body: dict[str, Any]
    # Identifies the row in the database.
    name: tuple[str, ...]
    key: str | None = None
    responses: list[Response] = field(default_factory=list[Response])

    async def send(self, client: AsyncClient) -> None:
        """Send the request once; with an idempotency key, until the result is known."""
        headers = {"Idempotency-Key": self.key} if self.key else {}
        while not self.responses or (self.key and self.responses[-1].status_code == 503):
            self.responses.append(await client.post(self.path, json=self.body, headers=headers))
            if self.responses[-1].status_code == 503:
                await sleep(RETRY_DELAY)

    @property
    def unknown(self) -> int:
        """How many responses left the result unknown."""
        return sum(is_unknown(response) for response in self.responses)

    @property
    def acknowledged(self) -> bool:
        """Whether the last response was a 201."""
        return bool(self.responses) and self.responses[-1].status_code == 201

    @property
    def possible(self) -> set[int]:
        """How often the row may exist, according to the responses."""
        if self.acknowledged:
            return {1}
        return {0, 1} if is_unknown(self.responses[-1]) else {0}


def is_unknown(response: Response) -> bool:
    """Whether the commit may or may not have happened: a 503 without Retry-After."""
    return response.status_code == 503 and "Retry-After" not in response.headers


def writes_to(shop: Shop, number_of_writes: int) -> list[Write]:
    """Return orders with an idempotency key, orders without one, and tags, a third each."""
    *sold, scarce = shop.products
    writes: list[Write] = []
    for number in range(number_of_writes):
        remainder, quantity = number % 3, number // len(sold) + 1
        if remainder == 2:
            writes.append(Write("/tags", {"name": f"tag-{number}"}, ("tag", f"tag-{number}")))
            continue
        product = sold[number % len(sold)]
        # The quantity identifies the order. The scarce product sells out soon.
        lines = [(product, quantity), (scarce, 1)] if number % 4 == 0 else [(product, quantity)]
        body = {
            "user_id": as_json(shop.customer.id),
            "lines": [{"product_id": as_json(one.id), "quantity": of} for one, of in lines],
        }
        name = ("order", str(product.id), str(quantity))
        writes.append(Write("/orders", body, name, key=str(uuid4()) if remainder else None))
    return writes


async def stored(shop: Shop) -> Counter[tuple[str, ...]]:
    """Return how often each write is in the database."""
    async with shop.database.transaction() as session:
        lines = await session.execute(select(OrderLine.product_id, OrderLine.quantity))
        found = Counter(("order", str(product), str(many)) for product, many in lines)
        return found + Counter(("tag", name) for name in await session.scalars(select(Tag.name)))


async def sold(shop: Shop) -> list[int]:
    """Return the ordered quantity of each product."""
    statement = text(
        "SELECT coalesce(sum(quantity), 0) FROM products LEFT JOIN order_lines "
        "ON product_id = products.id GROUP BY products.id ORDER BY products.id"
    )
    async with shop.database.transaction() as session:
        return list(await session.scalars(statement))


@pytest.fixture(scope="module")
def server() -> Generator[CrashingServer]:
    with crashing_server() as server:
        yield server


@pytest.fixture
def url(server: CrashingServer) -> Generator[URL]:
    with migrated(server.url) as url:
        yield url


@pytest.fixture
async def proxy(server: CrashingServer, url: URL) -> AsyncGenerator[TcpProxy]:
    async with tcp_proxy(url) as proxy:
        yield proxy


@pytest.fixture
async def service(proxy: TcpProxy) -> AsyncGenerator[FastAPI]:
    async with running(create_app(settings_with(proxy.url, pooler="none"))) as app:
        yield app


async def write_all(service: FastAPI, writes: list[Write]) -> None:
    """Send all writes concurrently."""
    waiting = iter(writes)

    async def write() -> None:
        async with client_of(service) as client:
            for each in waiting:
                await each.send(client)

    async with TaskGroup() as tasks:
        for _ in range(WRITERS):
            tasks.create_task(write())


async def kill_while(writes: list[Write], server: CrashingServer, kills: int) -> None:
    """Kill the server `kills` times, evenly spread over the writes."""
    signals = cycle([SIGKILL, SIGQUIT])
    for number in range(1, kills + 1):
        enough = len(writes) * number // (kills + 2)
        while sum(bool(each.responses) for each in writes) < enough:  # noqa: ASYNC110 - polls
            await sleep(0.005)
        await to_thread(server.kill, next(signals))
        await to_thread(server.start)


async def drop_responses(proxy: TcpProxy) -> None:
    """Drop responses of the database at random until cancelled."""
    while True:
        proxy.break_at(randint(1, 30), Break.AFTER)
        await sleep(0.2)


async def test_acknowledged_writes_survive_crashes(
    service: FastAPI, server: CrashingServer, proxy: TcpProxy, full_scale: bool
) -> None:
    shop = await open_shop(service, *[PLENTY] * 4, FEW)
    writes = writes_to(shop, 5000 if full_scale else 300)
    kills = 8 if full_scale else 2
    started = monotonic()
    async with TaskGroup() as faults:
        faults.create_task(kill_while(writes, server, kills))
        dropping = faults.create_task(drop_responses(proxy))
        await write_all(service, writes)
        dropping.cancel()
    proxy.break_at(0, Break.AFTER)
    seconds = monotonic() - started

    found = await stored(shop)
    lost = [each for each in writes if each.acknowledged and not found[each.name]]
    doubled = [each for each in writes if found[each.name] > 1]
    responses = [response for each in writes for response in each.responses]
    _log.info(
        "killed and compared",
        writes=len(writes),
        kills=kills,
        seconds=round(seconds, 1),
        acknowledged=sum(each.acknowledged for each in writes),
        rejected=sum(response.status_code == 409 for response in responses),
        unavailable=sum(response.status_code == 503 for response in responses),
        unknown=sum(each.unknown for each in writes),
        repeated=sum(len(each.responses) > 1 for each in writes),
        replayed=sum("Idempotent-Replayed" in response.headers for response in responses),
        lost=len(lost),
        doubled=len(doubled),
    )
    assert {response.status_code for response in responses} == {201, 409, 503}
    assert not lost
    assert not doubled
    for each in writes:
        assert found[each.name] in each.possible, each
        assert each.acknowledged or each.key is None or each.responses[-1].status_code == 409
    assert await shop.stocks() == [
        initial - ordered
        for initial, ordered in zip([PLENTY] * 4 + [FEW], await sold(shop), strict=True)
    ]


@pytest.mark.parametrize("how", Break)
async def test_order_with_idempotency_key_is_placed_once_after_connection_loss(
    service: FastAPI, proxy: TcpProxy, how: Break
) -> None:
    shop = await open_shop(service, PLENTY)
    async with client_of(service) as client:
        for message in count(1):
            order, key = shop.order(message), {"Idempotency-Key": f"{message}"}
            proxy.break_at(message, how)
            first = await client.post("/orders", json=order, headers=key)
            broke = proxy.broke
            proxy.break_at(0, how)
            again = await client.post("/orders", json=order, headers=key)
            assert first.status_code == (503 if broke else 201)
            assert (again.status_code, again.json()["lines"][0]["quantity"]) == (201, message)
            assert (await stored(shop))["order", str(shop.products[0].id), str(message)] == 1
            if not broke:
                assert again.json() == first.json()
                break
    assert await shop.stocks() == [PLENTY - sum(await sold(shop))]


async def test_lost_writes_are_detected(service: FastAPI, server: CrashingServer) -> None:
    shop = await open_shop(service, PLENTY, FEW)
    # With asynchronous commit, a crash loses acknowledged writes.
    async with shop.database.engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        for setting in ("synchronous_commit = off", "wal_writer_delay = '10s'"):
            await connection.execute(text(f"ALTER SYSTEM SET {setting}"))
        await connection.execute(text("SELECT pg_reload_conf()"))
    writes = [each for each in writes_to(shop, 100) if each.key is None]
    async with TaskGroup() as tasks:
        tasks.create_task(kill_while(writes, server, kills=1))
        tasks.create_task(write_all(service, writes))
    found = await stored(shop)
    assert any(each.acknowledged and not found[each.name] for each in writes)
