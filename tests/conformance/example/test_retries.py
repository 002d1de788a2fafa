"""Transactions are retried after a serialization failure or deadlock, up to a limit."""

from asyncio import Barrier, Event, create_task, gather, sleep
from collections.abc import Awaitable, Callable
from functools import partial

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.example.catalog.models import Product, ProductStatus
from app.example.catalog.repository import ProductRepository
from app.kit.db.ids import Id
from app.kit.errors.problems import Conflict
from app.kit.http.dependencies import DatabaseDep
from app.kit.writes import transactions
from app.kit.writes.transactions import ATTEMPTS, backoff, run_with_retry
from tests.example.order_factories import open_shop
from tests.support.app import client_of

SERIALIZABLE = text("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
# Raises the SQLSTATE of a serialization failure.
FAIL_SERIALIZATION = text("DO $$ BEGIN RAISE 'lost' USING ERRCODE = '40001'; END $$")


class Attempts(list[str]):
    """The attempts so far. The first attempts of both transactions wait for each other."""

    def __init__(self) -> None:
        self._both = Barrier(2)

    async def wait_for_other(self, name: str) -> None:
        self.append(name)
        if self.count(name) == 1:
            await self._both.wait()


async def test_serialization_failure_retries_the_whole_transaction(
    own_app: FastAPI,
) -> None:
    shop = await open_shop(own_app, 1, 1)
    attempts = Attempts()

    async def sell_out(key: Id, session: AsyncSession) -> None:
        """Sell one item if another one is left. Each transaction reads both rows."""
        await session.execute(SERIALIZABLE)
        stock = await session.scalar(select(func.sum(Product.stock))) or 0
        await attempts.wait_for_other(str(key))
        if stock > 1:
            (await ProductRepository(session).get(key)).reserve(1)

    one, two = (product.id for product in shop.products)
    await gather(
        run_with_retry(shop.database, partial(sell_out, one)),
        run_with_retry(shop.database, partial(sell_out, two)),
    )
    # Both read a stock of two at first. The retry read a stock of one and sold nothing.
    assert sorted(await shop.stocks()) == [0, 1]
    assert len(attempts) == 3


async def test_deadlock_is_retried(own_app: FastAPI) -> None:
    shop = await open_shop(own_app, 0, 0)
    attempts = Attempts()

    async def add_one_to(keys: list[Id], session: AsyncSession) -> None:
        for key in keys:
            # One row per statement, in opposite order: `lock_many` avoids this deadlock.
            (await ProductRepository(session).get(key, for_update=True)).restock(1)
            await session.flush()
            if key == keys[0]:
                await attempts.wait_for_other(str(key))

    keys = [product.id for product in shop.products]
    await gather(
        run_with_retry(shop.database, partial(add_one_to, keys)),
        run_with_retry(shop.database, partial(add_one_to, keys[::-1])),
    )
    assert await shop.stocks() == [2, 2]
    assert len(attempts) == 3


@pytest.fixture
def backoffs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The attempts for which a backoff was requested; every backoff is zero."""
    attempts: list[int] = []

    def no_backoff(attempt: int) -> float:
        attempts.append(attempt)
        return 0

    monkeypatch.setattr(transactions, "backoff", no_backoff)
    return attempts


async def count_attempts(
    own_app: FastAPI, work: Callable[[AsyncSession], Awaitable[object]], error: type[Exception]
) -> int:
    """Return how often a transaction that always fails is started."""
    started = 0

    async def counted(session: AsyncSession) -> None:
        nonlocal started
        started += 1
        await work(session)

    with pytest.raises(error):
        await run_with_retry(own_app.state.database, counted)
    return started


async def test_retries_are_limited(own_app: FastAPI, backoffs: list[int]) -> None:
    assert (
        await count_attempts(
            own_app, lambda session: session.execute(FAIL_SERIALIZATION), DBAPIError
        )
        == 4
    )
    assert (ATTEMPTS, backoffs) == (4, [1, 2, 3])


async def test_other_errors_are_not_retried(own_app: FastAPI, backoffs: list[int]) -> None:
    async def raise_conflict(_session: AsyncSession) -> None:
        raise Conflict("No.")

    async def violate_constraint(session: AsyncSession) -> None:
        for _ in range(2):
            await session.execute(
                text("INSERT INTO categories (id, name, slug) SELECT id, 'a', 'a' FROM users")
            )

    await open_shop(own_app, 1)
    assert await count_attempts(own_app, raise_conflict, Conflict) == 1
    assert await count_attempts(own_app, violate_constraint, IntegrityError) == 1
    assert backoffs == []


def test_backoff_grows_up_to_a_second_with_jitter() -> None:
    for attempt in (1, 2, 3, 20):
        delays = [backoff(attempt) for _ in range(50)]
        assert all(0 <= one <= min(1, 0.05 * 2**attempt) for one in delays)
        assert len(set(delays)) == 50
    assert max(backoff(20) for _ in range(50)) > 0.5


async def test_client_gets_503_only_after_the_last_attempt(
    own_app: FastAPI, backoffs: list[int]
) -> None:
    failures = iter([True, False, *[True] * ATTEMPTS])

    @own_app.post("/races")
    async def race(database: DatabaseDep) -> str:
        async def work(session: AsyncSession) -> str:
            await session.execute(FAIL_SERIALIZATION if next(failures) else text("SELECT 1"))
            return "won"

        return await run_with_retry(database, work)

    async with client_of(own_app) as client:
        assert (await client.post("/races")).json() == "won"
        failed = await client.post("/races")
    assert failed.status_code == 503
    assert failed.headers["Retry-After"] == "1"


async def test_order_is_placed_despite_deadlock(
    own_app: FastAPI, committing_client: AsyncClient
) -> None:
    shop = await open_shop(own_app, 5, 5)
    first, last = (product.id for product in shop.products)

    async def lock_backwards() -> None:
        async with shop.database.transaction() as session:
            await ProductRepository(session).get(last, for_update=True)
            holding.set()
            await shop.wait_for_blocked(1)
            # PostgreSQL ends the transaction that has waited longest: the order.
            await sleep(0.2)
            await ProductRepository(session).get(first, for_update=True)

    async def place_order() -> int:
        await holding.wait()
        response = await committing_client.post("/orders", json=shop.order(1, 1))
        return response.status_code

    holding = Event()
    _, status = await gather(lock_backwards(), place_order())
    assert status == 201
    assert await shop.stocks() == [4, 4]


@pytest.mark.parametrize(
    ("status", "method", "path"),
    [
        (ProductStatus.ACTIVE, "POST", "/categories/{}/discontinue"),
        (ProductStatus.DISCONTINUED, "DELETE", "/products/discontinued?before=2999-01-01T00:00Z"),
    ],
)
async def test_products_are_discontinued_and_deleted_despite_deadlock(
    own_app: FastAPI, committing_client: AsyncClient, status: ProductStatus, method: str, path: str
) -> None:
    shop = await open_shop(own_app, 5, 5, status=status)
    first, last = shop.products
    async with shop.database.transaction() as other:
        await ProductRepository(other).get(last.id, for_update=True)
        url = path.format(first.category_id)
        request = create_task(committing_client.request(method, url))
        await shop.wait_for_blocked(1)
        # PostgreSQL ends the transaction that has waited longer: the request.
        await sleep(0.2)
        await ProductRepository(other).get(first.id, for_update=True)
    assert (await request).json() == {"products": 2}
