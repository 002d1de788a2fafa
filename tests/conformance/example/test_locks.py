"""Row locks: a deterministic order, the latest version, SKIP LOCKED."""

from asyncio import gather, wait_for
from collections import Counter
from itertools import chain

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from app.example.catalog.repository import ProductRepository
from app.example.orders.repository import OrderRepository
from app.kit.db.ids import Id
from app.kit.db.session import Database
from app.kit.errors.problems import NotFound
from tests.example.factories import make_user
from tests.example.order_factories import open_shop
from tests.support.statements import counting

SHORT_LOCK_TIMEOUT = text("SET LOCAL lock_timeout = '50ms'")


async def test_for_update_reloads_a_loaded_row(own_app: FastAPI) -> None:
    shop = await open_shop(own_app, 10)
    (product,) = shop.products
    async with shop.database.transaction() as session:
        products = ProductRepository(session)
        before = await products.get(product.id)
        async with shop.database.transaction() as other:
            (await ProductRepository(other).get(product.id)).stock = 3
        assert before.stock == 10
        # The same object: without a reload, the other transaction's update would be lost.
        assert await products.get(product.id, for_update=True) is before
        assert before.stock == 3


async def test_row_locked_for_update_can_be_read_and_referenced(
    own_app: FastAPI,
) -> None:
    shop = await open_shop(own_app, 10)
    (product,) = shop.products
    async with shop.database.transaction() as holder, shop.database.transaction() as other:
        await ProductRepository(holder).get(product.id, for_update=True)
        await other.execute(SHORT_LOCK_TIMEOUT)
        # A read needs no lock, and neither does a foreign key to this row.
        assert (await ProductRepository(other).get(product.id)).stock == 10
        await other.execute(text("SELECT 1 FROM products FOR KEY SHARE"))
        with pytest.raises(DBAPIError, match="lock timeout"):
            await ProductRepository(other).get(product.id, for_update=True)


async def test_rows_locked_for_share_cannot_be_updated_or_deleted(
    own_app: FastAPI,
) -> None:
    shop = await open_shop(own_app, 10)
    (product,) = shop.products
    async with shop.database.transaction() as holder, shop.database.transaction() as other:
        for session in (holder, other):
            locked = await ProductRepository(session).lock_many_for_share([product.id])
            assert [each.id for each in locked] == [product.id]
    for change in ("UPDATE products SET stock = 0", "DELETE FROM products"):
        async with shop.database.transaction() as holder:
            await ProductRepository(holder).lock_many_for_share([product.id])
            async with shop.database.transaction() as other:
                await other.execute(SHORT_LOCK_TIMEOUT)
                with pytest.raises(DBAPIError, match="lock timeout"):
                    await other.execute(text(change))


async def test_deleted_row_cannot_be_locked(
    own_app: FastAPI, committing_client: AsyncClient
) -> None:
    shop = await open_shop(own_app, 10)
    (product,) = shop.products
    await committing_client.delete(f"/products/{product.id}")
    async with shop.database.transaction() as session:
        with pytest.raises(NotFound):
            await ProductRepository(session).get(product.id, for_update=True)
        assert await ProductRepository(session).lock_many([product.id]) == []
        assert await ProductRepository(session).lock_many_for_share([product.id]) == []


async def test_lock_many_locks_in_id_order(
    own_app: FastAPI,
) -> None:
    shop = await open_shop(own_app, 1, 2, 3, 4)
    keys = [product.id for product in shop.products]
    async with shop.database.transaction() as session:
        with counting(shop.database.engine) as statements:
            locked = await ProductRepository(session).lock_many([*keys[::-1], keys[0]])
        assert [product.id for product in locked] == keys
        assert "FOR NO KEY UPDATE" in statements[0]


async def test_lock_many_in_opposite_order_does_not_deadlock(own_app: FastAPI) -> None:
    shop = await open_shop(own_app, 0, 0, 0, 0)
    keys = [product.id for product in shop.products]

    async def add_one(ids: list[Id]) -> None:
        async with shop.database.transaction() as session:
            for product in await ProductRepository(session).lock_many(ids):
                product.restock(1)

    await gather(*(add_one(ids) for _ in range(10) for ids in (keys, keys[::-1])))
    assert await shop.stocks() == [20] * 4


async def test_workers_never_claim_the_same_row(
    own_app: FastAPI, committing_client: AsyncClient
) -> None:
    shop = await open_shop(own_app, 10)
    placed = [
        (await committing_client.post("/orders", json=shop.order(1))).json()["id"] for _ in range(5)
    ]
    async with shop.database.transaction() as first, shop.database.transaction() as second:
        mine = await OrderRepository(first).claim_waiting(2)
        # SKIP LOCKED: the second worker gets the next rows without waiting.
        theirs = await wait_for(OrderRepository(second).claim_waiting(2), timeout=2)
        assert [str(order.id) for order in [*mine, *theirs]] == [str(key) for key in placed[:4]]
        assert all(len(order.lines) == 1 for order in [*mine, *theirs])
    # Neither worker updated its rows, so the next one can claim them.
    async with shop.database.transaction() as third:
        assert len(await OrderRepository(third).claim_waiting(10)) == 5


async def test_each_order_is_dispatched_once_with_concurrent_workers(
    own_app: FastAPI, committing_client: AsyncClient
) -> None:
    shop = await open_shop(own_app, 30)
    for _ in range(30):
        await committing_client.post("/orders", json=shop.order(1))

    async def work() -> list[str]:
        dispatched: list[str] = []
        while batch := (await committing_client.post("/orders/dispatch", json={"limit": 2})).json():
            dispatched += [str(order["id"]) for order in batch]
        return dispatched

    dispatched = Counter(chain.from_iterable(await gather(*(work() for _ in range(5)))))
    assert len(dispatched) == 30
    assert set(dispatched.values()) == {1}


async def test_concurrent_deletes_return_one_404(
    committing_client: AsyncClient,
) -> None:
    for name in ("one", "two", "three"):
        path = f"/tags/{(await committing_client.post('/tags', json={'name': name})).json()['id']}"
        responses = await gather(committing_client.delete(path), committing_client.delete(path))
        assert sorted(response.status_code for response in responses) == [204, 404]


async def test_dispatch_uses_partial_index_in_a_generic_plan(
    session: AsyncSession, database: Database
) -> None:
    with counting(database.engine) as statements:
        assert await OrderRepository(session).claim_waiting(1) == []
    # PostgreSQL prefers a sequential scan for an empty table.
    for setting in ("enable_seqscan = off", "plan_cache_mode = force_generic_plan"):
        await session.execute(text(f"SET LOCAL {setting}"))
    await session.execute(text(f"PREPARE claim AS {statements[0]}"))
    plan = "\n".join(await session.scalars(text("EXPLAIN EXECUTE claim(1)")))
    await session.execute(text("DEALLOCATE claim"))
    assert "using ix_orders_waiting" in plan


async def test_concurrent_tag_imports_in_different_orders_do_not_deadlock(
    committing_client: AsyncClient,
) -> None:
    names = [f"tag-{number:02}" for number in range(30)]

    async def import_tags(number: int) -> list[str]:
        body = {"names": names[::-1] if number % 2 else names}
        response = await committing_client.post("/tags/import", json=body)
        assert response.status_code == 200, response.text
        return [tag["name"] for tag in response.json()["created"]]

    created = await gather(*map(import_tags, range(4)))
    assert sorted(name for part in created for name in part) == names


async def test_concurrent_requests_create_and_delete_a_profile_once(
    committing_client: AsyncClient, own_app: FastAPI
) -> None:
    async with own_app.state.database.sessions() as session:
        user = await make_user(session, profile=None)
    path = f"/users/{user.id}/profile"
    replaced = await gather(*(committing_client.put(path, json={"bio": "One."}) for _ in range(4)))
    assert [response.status_code for response in replaced] == [200] * 4
    deleted = await gather(*(committing_client.delete(path) for _ in range(4)))
    assert sorted(response.status_code for response in deleted) == [204, 404, 404, 404]
