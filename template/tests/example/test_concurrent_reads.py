"""The overview of orders is read over several sessions at the same time."""

from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy import URL

from app.main import create_app
from tests.example.order_factories import open_shop
from tests.support.app import client_of, running
from tests.support.database import clone, settings_with
from tests.support.statements import counting


async def test_orders_overview_runs_several_counts(
    own_app: FastAPI, committing_client: AsyncClient
) -> None:
    empty = (await committing_client.get("/orders/overview")).json()
    assert empty == {
        "orders": {"placed": 0, "dispatched": 0, "cancelled": 0},
        "revenue_cents": 0,
        "best_sellers": [],
    }
    shop = await open_shop(own_app, 10_000, 10_000, price_cents=1_000_000_000)
    large, small = shop.order(10_000), shop.order(0, 1)
    small["lines"] = small["lines"][1:]
    for body in (large, small, small):
        placed = await committing_client.post("/orders", json=body)
    await committing_client.post(f"/orders/{placed.json()['id']}/cancel")
    full = (await committing_client.get("/orders/overview")).json()
    assert full == {
        "orders": {"placed": 2, "dispatched": 0, "cancelled": 1},
        # Exceeds 32 bits.
        "revenue_cents": 10_001 * 1_000_000_000,
        "best_sellers": [
            {"sku": shop.products[0].sku, "quantity": 10_000},
            {"sku": shop.products[1].sku, "quantity": 1},
        ],
    }


async def test_best_sellers_are_counted_by_product(
    own_app: FastAPI, committing_client: AsyncClient
) -> None:
    shop = await open_shop(own_app, 10, 10)
    one, other = shop.products
    assert (await committing_client.post("/orders", json=shop.order(1, 1))).is_success
    for product, sku in ((one, "NEW"), (other, one.sku)):
        await committing_client.patch(f"/products/{product.id}", json={"sku": sku})
    assert (await committing_client.post("/orders", json=shop.order(1, 4))).is_success
    sellers = (await committing_client.get("/orders/overview")).json()["best_sellers"]
    assert [seller["quantity"] for seller in sellers] == [5, 2]


async def test_orders_overview_reads_replica_unless_no_cache(
    own_database_url: URL, template: URL
) -> None:
    with clone(template) as replica:
        second = settings_with(replica).database.url
        replicated = create_app(settings_with(own_database_url, replica_url=second))
        async with running(replicated), client_of(replicated) as client:
            shop = await open_shop(replicated, 10)
            assert (await client.post("/orders", json=shop.order(1))).status_code == 201
            with counting(shop.database.engine) as statements:
                from_replica = (await client.get("/orders/overview")).json()
            fresh = await client.get("/orders/overview", headers={"Cache-Control": "no-cache"})
    statements.assert_count(0)
    assert from_replica["orders"]["placed"] == 0
    assert fresh.json()["orders"]["placed"] == 1
