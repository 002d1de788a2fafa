"""PostgreSQL is killed again and again while many write: what was answered is what is stored.

For the figures: `--thorough -rP`.
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
from tests.conformance.support.crashing import CrashingServer, crashing_server
from tests.conformance.support.line import Break, Line, line_to
from tests.example.catalog_factories import as_json
from tests.example.order_factories import Shop, open_shop
from tests.rig.app import client_of, running
from tests.rig.database import migrated, settings_with

WRITERS = 16
# Seconds before somebody who was refused comes again.
PATIENCE = 0.1
PLENTY, FEW = 50_000_000, 20
_log = structlog.get_logger(__name__)


@dataclass
class Write:
    """Something that is stored once or not at all, and what its client heard of it."""

    path: str
    body: dict[str, Any]
    # What it is known by in the database.
    name: tuple[str, ...]
    key: str | None = None
    answers: list[Response] = field(default_factory=list[Response])

    async def send(self, client: AsyncClient) -> None:
        """Ask once; or with a key, until it is known."""
        headers = {"Idempotency-Key": self.key} if self.key else {}
        while not self.answers or (self.key and self.answers[-1].status_code == 503):
            self.answers.append(await client.post(self.path, json=self.body, headers=headers))
            if self.answers[-1].status_code == 503:
                await sleep(PATIENCE)

    @property
    def unknown(self) -> int:
        """How many answers said that nobody knows."""
        return sum(is_unknown(answer) for answer in self.answers)

    @property
    def acknowledged(self) -> bool:
        """Whether it was said to be stored."""
        return bool(self.answers) and self.answers[-1].status_code == 201

    @property
    def possible(self) -> set[int]:
        """How often it may be stored, after what was said."""
        if self.acknowledged:
            return {1}
        return {0, 1} if is_unknown(self.answers[-1]) else {0}


def is_unknown(answer: Response) -> bool:
    """Whether it says that something may or may not be stored: do not simply try again."""
    return answer.status_code == 503 and "Retry-After" not in answer.headers


def writes_to(shop: Shop, number_of_writes: int) -> list[Write]:
    """Of three, one is an order with a key, one an order without, and one a tag."""
    *sold, rare = shop.products
    writes: list[Write] = []
    for number in range(number_of_writes):
        kind, quantity = number % 3, number // len(sold) + 1
        if kind == 2:
            writes.append(Write("/tags", {"name": f"tag-{number}"}, ("tag", f"tag-{number}")))
            continue
        product = sold[number % len(sold)]
        # No other order has as many of this product. The rare one will soon be sold out.
        lines = [(product, quantity), (rare, 1)] if number % 4 == 0 else [(product, quantity)]
        body = {
            "user_id": as_json(shop.customer.id),
            "lines": [{"product_id": as_json(one.id), "quantity": of} for one, of in lines],
        }
        name = ("order", str(product.id), str(quantity))
        writes.append(Write("/orders", body, name, key=str(uuid4()) if kind else None))
    return writes


async def stored(shop: Shop) -> Counter[tuple[str, ...]]:
    """How often each write is in the database, by its name."""
    async with shop.database.transaction() as session:
        lines = await session.execute(select(OrderLine.product_id, OrderLine.quantity))
        found = Counter(("order", str(product), str(many)) for product, many in lines)
        return found + Counter(("tag", name) for name in await session.scalars(select(Tag.name)))


async def sold(shop: Shop) -> list[int]:
    """How much of each product was ordered."""
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
async def line(server: CrashingServer, url: URL) -> AsyncGenerator[Line]:
    async with line_to(url) as line:
        yield line


@pytest.fixture
async def service(line: Line) -> AsyncGenerator[FastAPI]:
    async with running(create_app(settings_with(line.url, pooler="none"))) as app:
        yield app


async def write_all(service: FastAPI, writes: list[Write]) -> None:
    """Send all writes, many at a time."""
    waiting = iter(writes)

    async def write() -> None:
        async with client_of(service) as client:
            for each in waiting:
                await each.send(client)

    async with TaskGroup() as tasks:
        for _ in range(WRITERS):
            tasks.create_task(write())


async def kill_while(writes: list[Write], server: CrashingServer, kills: int) -> None:
    """Kill the server so many times, each when as many writes were answered since the last."""
    signals = cycle([SIGKILL, SIGQUIT])
    for number in range(1, kills + 1):
        enough = len(writes) * number // (kills + 2)
        while sum(bool(each.answers) for each in writes) < enough:  # noqa: ASYNC110 - no event tells
            await sleep(0.005)
        await to_thread(server.kill, next(signals))
        await to_thread(server.start)


async def lose_answers_on(line: Line) -> None:
    """Break the line now and then, after any message, so that nobody hears what came of it."""
    while True:
        line.break_at(randint(1, 30), Break.AFTER)
        await sleep(0.2)


async def test_what_was_answered_is_what_is_stored(
    service: FastAPI, server: CrashingServer, line: Line, thorough: bool
) -> None:
    shop = await open_shop(service, *[PLENTY] * 4, FEW)
    writes = writes_to(shop, 5000 if thorough else 300)
    kills = 8 if thorough else 2
    began = monotonic()
    async with TaskGroup() as faults:
        faults.create_task(kill_while(writes, server, kills))
        losing = faults.create_task(lose_answers_on(line))
        await write_all(service, writes)
        losing.cancel()
    line.break_at(0, Break.AFTER)
    seconds = monotonic() - began

    found = await stored(shop)
    lost = [each for each in writes if each.acknowledged and not found[each.name]]
    doubled = [each for each in writes if found[each.name] > 1]
    answers = [answer for each in writes for answer in each.answers]
    _log.info(
        "killed and compared",
        writes=len(writes),
        kills=kills,
        seconds=round(seconds, 1),
        acknowledged=sum(each.acknowledged for each in writes),
        refused=sum(answer.status_code == 409 for answer in answers),
        unavailable=sum(answer.status_code == 503 for answer in answers),
        unknown=sum(each.unknown for each in writes),
        repeated=sum(len(each.answers) > 1 for each in writes),
        replayed=sum("Idempotent-Replayed" in answer.headers for answer in answers),
        lost=len(lost),
        doubled=len(doubled),
    )
    assert {answer.status_code for answer in answers} == {201, 409, 503}
    assert not lost
    assert not doubled
    for each in writes:
        assert found[each.name] in each.possible, each
        assert each.acknowledged or each.key is None or each.answers[-1].status_code == 409
    assert await shop.stocks() == [
        initial - gone for initial, gone in zip([PLENTY] * 4 + [FEW], await sold(shop), strict=True)
    ]


@pytest.mark.parametrize("how", Break)
async def test_an_order_with_a_key_is_placed_once_wherever_the_line_breaks(
    service: FastAPI, line: Line, how: Break
) -> None:
    shop = await open_shop(service, PLENTY)
    async with client_of(service) as client:
        for message in count(1):
            order, key = shop.order(message), {"Idempotency-Key": f"{message}"}
            line.break_at(message, how)
            first = await client.post("/orders", json=order, headers=key)
            broke = line.broke
            line.break_at(0, how)
            again = await client.post("/orders", json=order, headers=key)
            assert first.status_code == (503 if broke else 201)
            assert (again.status_code, again.json()["lines"][0]["quantity"]) == (201, message)
            assert (await stored(shop))["order", str(shop.products[0].id), str(message)] == 1
            if not broke:
                assert again.json() == first.json()
                break
    assert await shop.stocks() == [PLENTY - sum(await sold(shop))]


async def test_a_write_that_was_lost_would_be_noticed(
    service: FastAPI, server: CrashingServer
) -> None:
    shop = await open_shop(service, PLENTY, FEW)
    # Acknowledged before it is written down: what the story above must tell from the truth.
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
