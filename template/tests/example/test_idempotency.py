"""Requests with the same `Idempotency-Key` run once."""

from asyncio import Task, create_task, gather
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient, Response

from app.example.idempotency import IdempotencyKey
from app.kit.db.base import utc_now
from app.kit.writes.idempotency import delete_expired
from tests.example.catalog_factories import count_products, product_rows
from tests.example.factories import as_json
from tests.example.order_factories import Shop, open_shop
from tests.support.statements import counting

Post = Callable[..., Task[Response]]


@pytest.fixture
async def shop(own_app: FastAPI) -> Shop:
    """Two products with a stock of 10."""
    return await open_shop(own_app, 10, 10)


@pytest.fixture
def order(committing_client: AsyncClient) -> Post:
    """Start placing an order with an idempotency key."""

    def begin(body: dict[str, Any], key: str = "k") -> Task[Response]:
        return create_task(
            committing_client.post("/orders", json=body, headers={"Idempotency-Key": key})
        )

    return begin


def is_replayed(response: Response) -> bool:
    """Whether the response is a replay of an earlier one."""
    return response.headers.get("Idempotent-Replayed") == "true"


async def test_repeated_request_places_one_order_and_replays_response(
    shop: Shop, order: Post
) -> None:
    first, second = await order(shop.order(3)), await order(shop.order(3))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    assert first.headers["Content-Type"] == second.headers["Content-Type"] == "application/json"
    assert (is_replayed(first), is_replayed(second)) == (False, True)
    assert (await shop.count("orders"), await shop.stocks()) == (1, [7, 10])


async def test_requests_without_key_place_two_orders(
    shop: Shop, committing_client: AsyncClient
) -> None:
    with counting(shop.database.engine) as statements:
        for _ in range(2):
            response = await committing_client.post("/orders", json=shop.order(3))
            assert response.status_code == 201
            assert "Idempotent-Replayed" not in response.headers
    assert await shop.count("orders") == 2
    assert not [sql for sql in statements if "idempotency_keys" in sql]


async def test_concurrent_requests_with_one_key_run_once(shop: Shop, order: Post) -> None:
    responses = await gather(*(order(shop.order(1)) for _ in range(20)))
    assert {response.status_code for response in responses} == {201}
    assert len({response.content for response in responses}) == 1
    assert sum(map(is_replayed, responses)) == 19
    assert (await shop.count("orders"), await shop.stocks()) == (1, [9, 10])


async def test_replay_ignores_later_changes(
    shop: Shop, order: Post, committing_client: AsyncClient
) -> None:
    first = await order(shop.order(3))
    path = f"/orders/{first.json()['id']}"
    assert (await committing_client.post(f"{path}/cancel")).status_code == 200
    again = await order(shop.order(3))
    assert again.content == first.content
    assert (await committing_client.get(path)).json()["status"] == "cancelled"
    assert await shop.stocks() == [10, 10]


async def test_failed_request_does_not_use_up_its_key(
    shop: Shop, order: Post, committing_client: AsyncClient
) -> None:
    assert (await order(shop.order(11))).status_code == 409
    path = f"/products/{shop.products[0].id}"
    assert (await committing_client.patch(path, json={"stock": 20})).is_success
    response = await order(shop.order(11))
    assert (response.status_code, is_replayed(response)) == (201, False)
    assert await shop.stocks() == [9, 10]


async def test_key_is_rejected_for_a_different_request(shop: Shop, order: Post) -> None:
    await order(shop.order(3))
    other = await order(shop.order(4))
    assert other.status_code == 422
    assert other.json()["errors"] == [
        {"field": "header.Idempotency-Key", "message": "was used for another request"}
    ]
    assert (await shop.count("orders"), await shop.stocks()) == (1, [7, 10])


async def test_batch_endpoint_is_idempotent_with_its_own_key_scope(
    shop: Shop, order: Post, committing_client: AsyncClient
) -> None:
    await order(shop.order(1))
    async with shop.database.sessions() as session:
        rows = await product_rows(session, 2)
        await session.commit()
        before = await count_products(session)
    body = {"rows": [row | {"category_id": as_json(row["category_id"])} for row in rows]}
    first, again = [
        await committing_client.post("/products/batch", json=body, headers={"Idempotency-Key": "k"})
        for _ in range(2)
    ]
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert (is_replayed(first), is_replayed(again)) == (False, True)
    async with shop.database.sessions() as session:
        assert await count_products(session) == before + 2


async def test_deleted_key_can_be_used_again(shop: Shop, order: Post) -> None:
    first = await order(shop.order(1))
    assert await delete_expired(shop.database, IdempotencyKey, before=utc_now()) == 1
    second = await order(shop.order(1))
    assert second.json()["id"] != first.json()["id"]
    assert await shop.count("orders") == 2


async def test_openapi_documents_idempotency_key(client: AsyncClient) -> None:
    openapi = (await client.get("/openapi.json")).json()
    for path in ("/orders", "/products/batch"):
        operation = openapi["paths"][path]["post"]
        (header,) = [each for each in operation["parameters"] if each["in"] == "header"]
        assert (header["name"], header.get("required", False)) == ("Idempotency-Key", False)
        assert operation["responses"].keys() >= {"201", "409", "422", "503"}
        assert operation["responses"]["201"]["content"]["application/json"]["schema"]
