"""Moving stock between products: no piece is lost, none is made."""

from asyncio import gather
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient

from app.example.catalog.models import MAX_STOCK
from app.kit.db import retry
from tests.example.catalog_factories import as_json
from tests.example.order_factories import open_shop


@pytest.fixture
def without_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """One attempt only: locks in one order must do, and a second attempt would hide it."""
    monkeypatch.setattr(retry, "ATTEMPTS", 1)


async def test_what_one_product_gives_the_other_gets(
    own_app: FastAPI, committing_client: AsyncClient
) -> None:
    shop = await open_shop(own_app, 10, 0)
    response = await committing_client.post("/stock/transfers", json=shop.transfer(0, 1, 4))
    assert response.status_code == 200
    giver, taker = shop.products
    assert response.json() == {
        "giver": {"id": as_json(giver.id), "sku": giver.sku, "stock": 6},
        "taker": {"id": as_json(taker.id), "sku": taker.sku, "stock": 4},
    }
    assert await shop.stocks() == [6, 4]


async def test_nobody_gives_what_they_do_not_have_or_takes_what_they_cannot_hold(
    own_app: FastAPI, committing_client: AsyncClient
) -> None:
    shop = await open_shop(own_app, 10, MAX_STOCK)
    for transfer in (shop.transfer(0, 1, 11), shop.transfer(0, 1, 1)):
        response = await committing_client.post("/stock/transfers", json=transfer)
        assert response.status_code == 409
    assert await shop.stocks() == [10, MAX_STOCK]


@pytest.mark.parametrize("way", [(0, 1), (1, 0)])
async def test_a_product_that_is_not_there_is_refused_by_name(
    own_app: FastAPI, committing_client: AsyncClient, way: tuple[int, int]
) -> None:
    shop = await open_shop(own_app, 10, 10)
    await committing_client.delete(f"/products/{shop.products[1].id}")
    response = await committing_client.post("/stock/transfers", json=shop.transfer(*way, 1))
    assert response.status_code == 422
    gone = "body.to_product_id" if way == (0, 1) else "body.from_product_id"
    assert [error["field"] for error in response.json()["errors"]] == [gone]
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
async def test_a_bad_transfer_is_refused_by_name(
    own_app: FastAPI, committing_client: AsyncClient, change: dict[str, Any], field: str
) -> None:
    shop = await open_shop(own_app, 10, 10)
    body = shop.transfer(0, 1, 1) | change
    response = await committing_client.post("/stock/transfers", json=body)
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == [field]
    assert await shop.stocks() == [10, 10]


async def test_a_product_gives_nothing_to_itself(
    own_app: FastAPI, committing_client: AsyncClient
) -> None:
    shop = await open_shop(own_app, 10)
    response = await committing_client.post("/stock/transfers", json=shop.transfer(0, 0, 1))
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == "body.to_product_id"


@pytest.mark.usefixtures("without_retries")
async def test_twenty_opposite_transfers_at_once_are_exact(
    own_app: FastAPI, committing_client: AsyncClient
) -> None:
    shop = await open_shop(own_app, 100, 100)
    transfers = [shop.transfer(0, 1, 3), shop.transfer(1, 0, 2)] * 10
    responses = await gather(
        *(committing_client.post("/stock/transfers", json=transfer) for transfer in transfers)
    )
    assert {response.status_code for response in responses} == {200}
    assert await shop.stocks() == [90, 110]


async def test_transfers_beyond_what_there_is_never_go_below_zero(
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
async def test_orders_and_transfers_share_the_same_stock(
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
