"""What is asked for again with its `Idempotency-Key` is done once, whatever became of the first."""

from asyncio import Task, create_task, gather
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient, Response

from app.example.idempotency.service import forget_keys
from app.kit.db.base import now
from tests.example.catalog_factories import as_json, product_rows, stored_products
from tests.example.order_factories import Shop, open_shop
from tests.rig.statements import counting

Post = Callable[..., Task[Response]]


@pytest.fixture
async def shop(own_app: FastAPI) -> Shop:
    """Two products, ten pieces of each."""
    return await open_shop(own_app, 10, 10)


@pytest.fixture
def order(committing_client: AsyncClient) -> Post:
    """Begin to place an order under a key."""

    def begin(body: dict[str, Any], key: str = "k") -> Task[Response]:
        return create_task(
            committing_client.post("/orders", json=body, headers={"Idempotency-Key": key})
        )

    return begin


def is_repeated(answer: Response) -> bool:
    """Whether the service says that it had answered this before."""
    return answer.headers.get("Idempotent-Replayed") == "true"


async def test_the_same_request_twice_is_one_order_and_the_same_answer(
    shop: Shop, order: Post
) -> None:
    first, second = await order(shop.order(3)), await order(shop.order(3))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    assert first.headers["Content-Type"] == second.headers["Content-Type"] == "application/json"
    assert (is_repeated(first), is_repeated(second)) == (False, True)
    assert (await shop.count("orders"), await shop.stocks()) == (1, [7, 10])


async def test_without_a_key_two_requests_are_two_orders(
    shop: Shop, committing_client: AsyncClient
) -> None:
    with counting(shop.database.engine) as statements:
        for _ in range(2):
            answer = await committing_client.post("/orders", json=shop.order(3))
            assert answer.status_code == 201
            assert "Idempotent-Replayed" not in answer.headers
    assert await shop.count("orders") == 2
    assert not [sql for sql in statements if "idempotency_keys" in sql]


async def test_of_twenty_at_once_with_one_key_one_is_done_and_all_are_answered_alike(
    shop: Shop, order: Post
) -> None:
    answers = await gather(*(order(shop.order(1)) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert sum(map(is_repeated, answers)) == 19
    assert (await shop.count("orders"), await shop.stocks()) == (1, [9, 10])


async def test_a_repetition_is_told_what_the_first_was_although_much_has_happened_since(
    shop: Shop, order: Post, committing_client: AsyncClient
) -> None:
    first = await order(shop.order(3))
    path = f"/orders/{first.json()['id']}"
    assert (await committing_client.post(f"{path}/cancel")).status_code == 200
    again = await order(shop.order(3))
    assert again.content == first.content
    assert (await committing_client.get(path)).json()["status"] == "cancelled"
    assert await shop.stocks() == [10, 10]


async def test_an_error_leaves_the_key_free(
    shop: Shop, order: Post, committing_client: AsyncClient
) -> None:
    assert (await order(shop.order(11))).status_code == 409
    path = f"/products/{shop.products[0].id}"
    assert (await committing_client.patch(path, json={"stock": 20})).is_success
    answer = await order(shop.order(11))
    assert (answer.status_code, is_repeated(answer)) == (201, False)
    assert await shop.stocks() == [9, 10]


async def test_a_key_belongs_to_one_request(shop: Shop, order: Post) -> None:
    await order(shop.order(3))
    other = await order(shop.order(4))
    assert other.status_code == 422
    assert other.json()["errors"] == [
        {"field": "header.Idempotency-Key", "message": "was used for another request"}
    ]
    assert (await shop.count("orders"), await shop.stocks()) == (1, [7, 10])


async def test_a_batch_can_be_repeated_as_well_and_its_keys_are_its_own(
    shop: Shop, order: Post, committing_client: AsyncClient
) -> None:
    await order(shop.order(1))
    async with shop.database.sessions() as session:
        rows = await product_rows(session, 2)
        await session.commit()
        before = await stored_products(session)
    body = {"rows": [row | {"category_id": as_json(row["category_id"])} for row in rows]}
    first, again = [
        await committing_client.post("/products/batch", json=body, headers={"Idempotency-Key": "k"})
        for _ in range(2)
    ]
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert (is_repeated(first), is_repeated(again)) == (False, True)
    async with shop.database.sessions() as session:
        assert await stored_products(session) == before + 2


async def test_a_key_that_was_forgotten_is_a_new_one(shop: Shop, order: Post) -> None:
    first = await order(shop.order(1))
    assert await forget_keys(shop.database, before=now()) == 1
    second = await order(shop.order(1))
    assert second.json()["id"] != first.json()["id"]
    assert await shop.count("orders") == 2


async def test_the_document_of_the_api_tells_of_the_key(client: AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    for path in ("/orders", "/products/batch"):
        operation = document["paths"][path]["post"]
        (header,) = [each for each in operation["parameters"] if each["in"] == "header"]
        assert (header["name"], header.get("required", False)) == ("Idempotency-Key", False)
        assert operation["responses"].keys() >= {"201", "409", "422", "503"}
        assert operation["responses"]["201"]["content"]["application/json"]["schema"]
