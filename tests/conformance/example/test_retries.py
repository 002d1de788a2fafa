"""Units of work that lose a race are done again, as a whole, and not for ever."""

from asyncio import Barrier, Event, gather, sleep
from collections.abc import Awaitable, Callable
from functools import partial

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.example.catalog.models import Product
from app.example.catalog.repository import ProductRepository
from app.kit.db import retry
from app.kit.db.ids import Id
from app.kit.db.retry import ATTEMPTS, DatabaseDep, pause, retrying
from app.kit.errors import Conflict
from tests.example.order_factories import open_shop
from tests.rig.app import client_of

SERIALIZABLE = text("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
# As PostgreSQL would, each time.
LOSE = text("DO $$ BEGIN RAISE 'lost' USING ERRCODE = '40001'; END $$")


class Attempts(list[str]):
    """The attempts that were made. The first two wait for each other, so that they do collide."""

    def __init__(self) -> None:
        self._both = Barrier(2)

    async def meet(self, name: str) -> None:
        self.append(name)
        if self.count(name) == 1:
            await self._both.wait()


async def test_a_serialization_failure_is_done_again_from_its_first_read_on(
    own_app: FastAPI,
) -> None:
    shop = await open_shop(own_app, 1, 1)
    attempts = Attempts()

    async def sell_out(key: Id, session: AsyncSession) -> None:
        """Sell the last piece, as long as another product has one: each reads what one writes."""
        await session.execute(SERIALIZABLE)
        left = await session.scalar(select(func.sum(Product.stock))) or 0
        await attempts.meet(str(key))
        if left > 1:
            (await ProductRepository(session).get(key)).reserve(1)

    one, two = (product.id for product in shop.products)
    await gather(
        retrying(shop.database, partial(sell_out, one)),
        retrying(shop.database, partial(sell_out, two)),
    )
    # Both saw two pieces at first. The one that lost saw one when it came again, and kept it.
    assert sorted(await shop.stocks()) == [0, 1]
    assert len(attempts) == 3


async def test_a_deadlock_is_done_again(own_app: FastAPI) -> None:
    shop = await open_shop(own_app, 0, 0)
    attempts = Attempts()

    async def add_one_to(keys: list[Id], session: AsyncSession) -> None:
        for key in keys:
            # One after the other, in a sequence of their own: what `lock_many` is there to avoid.
            (await ProductRepository(session).get(key, for_update=True)).restock(1)
            await session.flush()
            if key == keys[0]:
                await attempts.meet(str(key))

    keys = [product.id for product in shop.products]
    await gather(
        retrying(shop.database, partial(add_one_to, keys)),
        retrying(shop.database, partial(add_one_to, keys[::-1])),
    )
    assert await shop.stocks() == [2, 2]
    assert len(attempts) == 3


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The pauses that are asked for, none of which is kept."""
    asked: list[int] = []

    def none(attempt: int) -> float:
        asked.append(attempt)
        return 0

    monkeypatch.setattr(retry, "pause", none)
    return asked


async def count_attempts(
    own_app: FastAPI, work: Callable[[AsyncSession], Awaitable[object]], error: type[Exception]
) -> int:
    """How often a work that never succeeds is begun."""
    begun = 0

    async def counted(session: AsyncSession) -> None:
        nonlocal begun
        begun += 1
        await work(session)

    with pytest.raises(error):
        await retrying(own_app.state.database, counted)
    return begun


async def test_it_is_not_tried_for_ever(own_app: FastAPI, hasty: list[int]) -> None:
    assert await count_attempts(own_app, lambda session: session.execute(LOSE), DBAPIError) == 4
    assert (ATTEMPTS, hasty) == (4, [1, 2, 3])


async def test_nothing_else_is_done_again(own_app: FastAPI, hasty: list[int]) -> None:
    async def contradict(_session: AsyncSession) -> None:
        raise Conflict("No.")

    async def break_a_rule(session: AsyncSession) -> None:
        for _ in range(2):
            await session.execute(
                text("INSERT INTO categories (id, name, slug) SELECT id, 'a', 'a' FROM users")
            )

    await open_shop(own_app, 1)
    assert await count_attempts(own_app, contradict, Conflict) == 1
    assert await count_attempts(own_app, break_a_rule, IntegrityError) == 1
    assert hasty == []


def test_pauses_grow_up_to_a_second_and_are_never_the_same() -> None:
    for attempt in (1, 2, 3, 20):
        pauses = [pause(attempt) for _ in range(50)]
        assert all(0 <= one <= min(1, 0.05 * 2**attempt) for one in pauses)
        assert len(set(pauses)) == 50
    assert max(pause(20) for _ in range(50)) > 0.5


async def test_a_client_hears_of_it_only_when_all_attempts_are_lost(
    own_app: FastAPI, hasty: list[int]
) -> None:
    losses = iter([True, False, *[True] * ATTEMPTS])

    @own_app.post("/races")
    async def race(database: DatabaseDep) -> str:
        async def work(session: AsyncSession) -> str:
            await session.execute(LOSE if next(losses) else text("SELECT 1"))
            return "won"

        return await retrying(database, work)

    async with client_of(own_app) as client:
        assert (await client.post("/races")).json() == "won"
        lost = await client.post("/races")
    assert lost.status_code == 503
    assert lost.headers["Retry-After"] == "1"


async def test_an_order_is_placed_although_somebody_locks_in_another_order(
    own_app: FastAPI, committing_client: AsyncClient
) -> None:
    shop = await open_shop(own_app, 5, 5)
    first, last = (product.id for product in shop.products)

    async def lock_backwards() -> None:
        async with shop.database.transaction() as session:
            await ProductRepository(session).get(last, for_update=True)
            holding.set()
            await shop.until_waiting(1)
            # Who has waited longest notices the circle first and gives way: the order.
            await sleep(0.2)
            await ProductRepository(session).get(first, for_update=True)

    async def place() -> int:
        await holding.wait()
        response = await committing_client.post("/orders", json=shop.order(1, 1))
        return response.status_code

    holding = Event()
    _, status = await gather(lock_backwards(), place())
    assert status == 201
    assert await shop.stocks() == [4, 4]
