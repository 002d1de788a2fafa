"""Stock transfers between products keep the total."""

from asyncio import gather
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy.ext.asyncio import AsyncSession

from app.example.catalog.models import MAX_STOCK
from tests.example.factories import as_json
from tests.example.order_factories import make_shop, open_shop


async def test_transfer_moves_stock_from_one_product_to_another(
    app: FastAPI, client: AsyncClient, session: AsyncSession
) -> None:
    shop = await make_shop(app, session, 10, 0)
    response = await client.post("/stock/transfers", json=shop.transfer(0, 1, 4))
    assert response.status_code == 200
    source, target = shop.products
    assert response.json() == {
        "source": {"id": as_json(source.id), "sku": source.sku, "stock": 6},
        "target": {"id": as_json(target.id), "sku": target.sku, "stock": 4},
    }
    assert await shop.stocks() == [6, 4]


async def test_transfer_respects_stock_limits(
    app: FastAPI, client: AsyncClient, session: AsyncSession
) -> None:
    shop = await make_shop(app, session, 10, MAX_STOCK)
    for transfer in (shop.transfer(0, 1, 11), shop.transfer(0, 1, 1)):
        response = await client.post("/stock/transfers", json=transfer)
        assert response.status_code == 409
    assert await shop.stocks() == [10, MAX_STOCK]


@pytest.mark.parametrize("direction", [(0, 1), (1, 0)])
async def test_transfer_with_deleted_product_is_reported_by_field(
    app: FastAPI, client: AsyncClient, session: AsyncSession, direction: tuple[int, int]
) -> None:
    shop = await make_shop(app, session, 10, 10)
    await client.delete(f"/products/{shop.products[1].id}")
    response = await client.post("/stock/transfers", json=shop.transfer(*direction, 1))
    assert response.status_code == 422
    field = "body.to_product_id" if direction == (0, 1) else "body.from_product_id"
    assert [error["field"] for error in response.json()["errors"]] == [field]
    assert (await shop.stocks())[0] == 10


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"quantity": 0}, "body.quantity"),
        ({"quantity": -5}, "body.quantity"),
        ({"quantity": 2**31}, "body.quantity"),
        ({"to_product_id": None}, "body.to_product_id"),
        ({"note": ""}, "body.note"),
    ],
)
async def test_invalid_transfer_is_reported(
    app: FastAPI, client: AsyncClient, session: AsyncSession, change: dict[str, Any], field: str
) -> None:
    shop = await make_shop(app, session, 10, 10)
    body = shop.transfer(0, 1, 1) | change
    response = await client.post("/stock/transfers", json=body)
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == [field]
    assert await shop.stocks() == [10, 10]


async def test_transfer_to_the_same_product_is_rejected(
    app: FastAPI, client: AsyncClient, session: AsyncSession
) -> None:
    shop = await make_shop(app, session, 10)
    response = await client.post("/stock/transfers", json=shop.transfer(0, 0, 1))
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == "body.to_product_id"


@pytest.mark.usefixtures("without_retries")
async def test_concurrent_opposite_transfers_do_not_deadlock_or_lose_updates(
    own_app: FastAPI, committing_client: AsyncClient
) -> None:
    shop = await open_shop(own_app, 100, 100)
    transfers = [shop.transfer(0, 1, 3), shop.transfer(1, 0, 2)] * 10
    responses = await gather(
        *(committing_client.post("/stock/transfers", json=transfer) for transfer in transfers)
    )
    assert {response.status_code for response in responses} == {200}
    assert await shop.stocks() == [90, 110]


async def test_concurrent_transfers_never_make_stock_negative(
    own_app: FastAPI, committing_client: AsyncClient
) -> None:
    shop = await open_shop(own_app, 5, 0)
    responses = await gather(
        *(
            committing_client.post("/stock/transfers", json=shop.transfer(0, 1, 2))
            for _ in range(10)
        )
    )
    assert sorted(response.status_code for response in responses) == [200] * 2 + [409] * 8
    assert await shop.stocks() == [1, 4]


@pytest.mark.usefixtures("without_retries")
async def test_concurrent_orders_and_transfers_keep_stock_consistent(
    own_app: FastAPI, committing_client: AsyncClient
) -> None:
    shop = await open_shop(own_app, 50, 50)
    responses = await gather(
        *(committing_client.post("/orders", json=shop.order(1, 1)) for _ in range(10)),
        *(
            committing_client.post("/stock/transfers", json=shop.transfer(1, 0, 1))
            for _ in range(10)
        ),
    )
    assert {response.status_code for response in responses} == {200, 201}
    assert await shop.stocks() == [50, 30]
