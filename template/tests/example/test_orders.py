"""Order endpoints: an order is stored as a whole, or not at all."""

from asyncio import gather
from collections import Counter
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy import insert, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.example.catalog.models import ProductStatus
from app.example.orders.models import Order, OrderLine
from app.kit.db.session import Database
from tests.example.catalog_factories import make_product
from tests.example.factories import as_json, make_user
from tests.example.order_factories import make_shop, open_shop
from tests.support.statements import counting


async def test_order_reserves_stock_and_stores_current_price(
    app: FastAPI, client: AsyncClient, session: AsyncSession
) -> None:
    shop = await make_shop(app, session, 10, 5, price_cents=250)
    placed = await client.post("/orders", json=shop.order(4, 1))
    assert placed.status_code == 201
    assert await shop.stocks() == [6, 4]
    order = placed.json()
    assert (order["status"], order["total_cents"]) == ("placed", 1250)

    product = shop.products[0]
    change = {"price_cents": 999, "name": "Dearer"}
    await client.patch(f"/products/{product.id}", json=change)
    read = await client.get(f"/orders/{order['id']}")
    assert read.json() == order
    assert read.json()["lines"][0] == {
        "product_id": as_json(product.id),
        "sku": product.sku,
        "name": product.name,
        "quantity": 4,
        "unit_price_cents": 250,
    }


async def test_insufficient_stock_rejects_the_whole_order(
    app: FastAPI, client: AsyncClient, session: AsyncSession
) -> None:
    shop = await make_shop(app, session, 10, 2)
    response = await client.post("/orders", json=shop.order(4, 3))
    assert response.status_code == 409
    assert shop.products[1].sku in response.json()["detail"]
    assert await shop.stocks() == [10, 2]
    assert await shop.count("orders") == 0


@pytest.mark.parametrize("status", [ProductStatus.DRAFT, ProductStatus.DISCONTINUED])
async def test_every_unavailable_product_is_reported_by_line(
    app: FastAPI, client: AsyncClient, session: AsyncSession, status: ProductStatus
) -> None:
    shop = await make_shop(app, session, 10, 10, 10, 10)
    available, unavailable, deleted, _ = shop.products
    change = {"status": status.value}
    assert (await client.patch(f"/products/{unavailable.id}", json=change)).is_success
    assert (await client.delete(f"/products/{deleted.id}")).is_success
    body = shop.order(1, 1, 1)
    body["lines"].append({"product_id": as_json(available.id), "quantity": 2})
    response = await client.post("/orders", json=body)
    assert response.status_code == 422
    assert {error["field"]: error["message"] for error in response.json()["errors"]} == {
        "body.lines.1.product_id": "product is not active",
        "body.lines.2.product_id": "product not found",
        "body.lines.3.product_id": "already in an earlier line",
    }
    assert await shop.count("orders") == 0


async def test_order_requires_existing_user(
    app: FastAPI, client: AsyncClient, session: AsyncSession
) -> None:
    shop = await make_shop(app, session, 10)
    await client.delete(f"/users/{shop.customer.id}")
    response = await client.post("/orders", json=shop.order(1))
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == "body.user_id"
    assert await shop.stocks() == [10]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"quantity": 0}, "body.lines.0.quantity"),
        ({"quantity": -1}, "body.lines.0.quantity"),
        ({"quantity": 10_001}, "body.lines.0.quantity"),
        ({"quantity": 10**40}, "body.lines.0.quantity"),
        ({"quantity": 1.5}, "body.lines.0.quantity"),
        ({"product_id": "nonsense"}, "body.lines.0.product_id"),
        ({"product_id": -1}, "body.lines.0.product_id"),
        ({"unit_price_cents": 1}, "body.lines.0.unit_price_cents"),
    ],
)
async def test_invalid_order_line_is_reported(
    client: AsyncClient, session: AsyncSession, change: dict[str, Any], field: str
) -> None:
    customer, product = await make_user(session), await make_product(session)
    line = {"product_id": as_json(product.id), "quantity": 1} | change
    response = await client.post("/orders", json={"user_id": as_json(customer.id), "lines": [line]})
    assert response.status_code == 422
    assert field in [error["field"] for error in response.json()["errors"]]


@pytest.mark.parametrize("size", [0, 101])
async def test_number_of_order_lines_is_limited(
    client: AsyncClient, session: AsyncSession, size: int
) -> None:
    customer, product = await make_user(session), await make_product(session)
    lines = [{"product_id": as_json(product.id), "quantity": 1}] * size
    response = await client.post("/orders", json={"user_id": as_json(customer.id), "lines": lines})
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == "body.lines"


@pytest.mark.usefixtures("without_retries")
async def test_concurrent_orders_never_oversell(
    own_app: FastAPI, committing_client: AsyncClient
) -> None:
    shop = await open_shop(own_app, 10)
    order = shop.order(1)
    responses = await gather(*(committing_client.post("/orders", json=order) for _ in range(50)))
    assert Counter(response.status_code for response in responses) == {201: 10, 409: 40}
    assert await shop.stocks() == [0]
    assert (await shop.count("orders"), await shop.count("order_lines")) == (10, 10)


@pytest.mark.usefixtures("without_retries")
async def test_orders_with_products_in_any_sequence_do_not_deadlock(
    own_app: FastAPI, committing_client: AsyncClient
) -> None:
    shop = await open_shop(own_app, 40, 40, 40)
    order = shop.order(1, 1, 1)
    reverse = order | {"lines": order["lines"][::-1]}
    bodies = [order, reverse] * 10
    responses = await gather(*(committing_client.post("/orders", json=body) for body in bodies))
    assert {response.status_code for response in responses} == {201}
    assert await shop.stocks() == [20, 20, 20]


async def test_cancelled_order_returns_stock_once(
    app: FastAPI, client: AsyncClient, session: AsyncSession
) -> None:
    shop = await make_shop(app, session, 10, 10)
    placed = (await client.post("/orders", json=shop.order(4, 1))).json()
    path = f"/orders/{placed['id']}"
    cancelled = await client.post(f"{path}/cancel")
    assert cancelled.status_code == 200
    assert cancelled.json() == placed | {
        "status": "cancelled",
        "updated_at": cancelled.json()["updated_at"],
    }
    assert (await client.get(path)).json() == cancelled.json()
    assert await shop.stocks() == [10, 10]

    assert (await client.post(f"{path}/cancel")).status_code == 409
    assert await shop.stocks() == [10, 10]


async def test_concurrent_cancellations_succeed_once(
    own_app: FastAPI, committing_client: AsyncClient
) -> None:
    shop = await open_shop(own_app, 10)
    for _ in range(5):
        placed = (await committing_client.post("/orders", json=shop.order(3))).json()
        path = f"/orders/{placed['id']}/cancel"
        responses = await gather(committing_client.post(path), committing_client.post(path))
        assert sorted(response.status_code for response in responses) == [200, 409]
        assert await shop.stocks() == [10]


async def test_order_survives_its_product_and_returns_stock(
    app: FastAPI, client: AsyncClient, session: AsyncSession
) -> None:
    shop = await make_shop(app, session, 10)
    placed = (await client.post("/orders", json=shop.order(3))).json()
    product = shop.products[0]
    # The response depends on the kind of deletion. The order is the same in both cases.
    deleted = await client.delete(f"/products/{product.id}")
    assert deleted.status_code in (204, 409)
    read = await client.get(f"/orders/{placed['id']}")
    assert read.json() == placed
    assert read.json()["lines"][0]["name"] == product.name
    assert (await client.post(f"/orders/{placed['id']}/cancel")).status_code == 200
    assert await shop.stocks() == [10]


async def test_unknown_order_is_not_found(client: AsyncClient, session: AsyncSession) -> None:
    # An existing id of another model.
    path = f"/orders/{(await make_user(session)).id}"
    assert (await client.get(path)).status_code == 404
    assert (await client.post(f"{path}/cancel")).status_code == 404


async def test_orders_are_dispatched_in_order_of_creation(
    app: FastAPI, client: AsyncClient, session: AsyncSession
) -> None:
    shop = await make_shop(app, session, 10)
    placed = [(await client.post("/orders", json=shop.order(1))).json()["id"] for _ in range(3)]
    first = await client.post("/orders/dispatch", json={"limit": 2})
    assert [order["id"] for order in first.json()] == placed[:2]
    rest = await client.post("/orders/dispatch", json={"limit": 2})
    assert [order["id"] for order in rest.json()] == placed[2:]
    assert (await client.post("/orders/dispatch", json={})).json() == []
    # A dispatched order cannot be cancelled.
    assert (await client.post(f"/orders/{placed[0]}/cancel")).status_code == 409
    assert await shop.stocks() == [7]


@pytest.mark.parametrize("body", [{"limit": 0}, {"limit": 101}, {"limit": None}, {"all": True}])
async def test_invalid_dispatch_request_is_rejected(
    client: AsyncClient, body: dict[str, Any]
) -> None:
    response = await client.post("/orders/dispatch", json=body)
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == f"body.{next(iter(body))}"


async def make_order(session: AsyncSession, **values: Any) -> Order:
    """Store an order with two lines, without reserving stock."""
    values.setdefault("user_id", (await make_user(session)).id)
    products = [await make_product(session) for _ in range(2)]
    lines = [
        OrderLine(
            product_id=product.id,
            sku=product.sku,
            name=product.name,
            quantity=2,
            unit_price_cents=product.price_cents,
        )
        for product in products
    ]
    order = Order(lines=lines, **values)
    session.add(order)
    await session.commit()
    return order


async def test_clear_discontinued_ordered_products_responds_as_documented(
    app: FastAPI, client: AsyncClient, session: AsyncSession
) -> None:
    await make_order(session)
    await session.execute(text("UPDATE products SET status = 'discontinued'"))
    await session.commit()
    params = {"before": "2999-01-01T00:00:00Z"}
    response = await client.delete("/products/discontinued", params=params)
    documented = app.openapi()["paths"]["/products/discontinued"]["delete"]["responses"]
    # Only with hard delete does an order prevent the deletion of its product.
    assert [status for status in documented if status in ("200", "409")] == (
        ["200"] if response.status_code == 200 else ["200", "409"]
    )


async def test_orders_are_filtered_by_user_and_status_newest_first(
    client: AsyncClient, session: AsyncSession
) -> None:
    user_id = (await make_user(session)).id
    orders = [await make_order(session, user_id=user_id) for _ in range(2)]
    await make_order(session)

    async def found(**params: str) -> list[Any]:
        page = (await client.get("/orders", params=params)).json()
        assert page["total"] == len(page["items"])
        return [order["id"] for order in page["items"]]

    newest_first = [as_json(order.id) for order in orders[::-1]]
    assert await found(user_id=str(user_id)) == newest_first
    assert await found(user_id=str(user_id), status="placed") == newest_first
    assert await found(status="cancelled") == []
    assert len(await found()) == 3


@pytest.mark.parametrize("params", [{"user_id": "x"}, {"status": "lost"}, {"limit": 101}, {"q": 1}])
async def test_invalid_order_filter_is_rejected(
    client: AsyncClient, params: dict[str, Any]
) -> None:
    response = await client.get("/orders", params=params)
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == f"query.{next(iter(params))}"


@pytest.mark.parametrize("rows", [1, 10])
async def test_order_list_takes_one_statement(
    client: AsyncClient, session: AsyncSession, database: Database, rows: int
) -> None:
    for _ in range(rows):
        await make_order(session)
    with counting(database.engine) as statements:
        page = (await client.get("/orders", params={"limit": 100})).json()
    assert [len(order["lines"]) for order in page["items"]] == [2] * rows
    # One statement loads the orders and their lines.
    statements.assert_count(1)


@pytest.mark.parametrize("change", [{"quantity": 0}, {"quantity": -1}, {"unit_price_cents": -1}])
async def test_order_lines_have_check_constraints(
    session: AsyncSession, change: dict[str, int]
) -> None:
    order, product = await make_order(session), await make_product(session)
    line = {"sku": "A", "name": "A", "quantity": 1, "unit_price_cents": 1} | change
    statement = insert(OrderLine).values(order_id=order.id, product_id=product.id, **line)
    with pytest.raises(IntegrityError, match="ck_order_lines"):
        await session.execute(statement)


async def test_status_is_stored_by_value(session: AsyncSession) -> None:
    await make_order(session)
    query = "SELECT status::text, pg_typeof(status)::text FROM orders"
    assert (await session.execute(text(query))).one() == ("placed", "order_status")
