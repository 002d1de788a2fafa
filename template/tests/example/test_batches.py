"""Batch endpoints store all products, or none and report an error for each invalid row."""

from asyncio import create_task, gather, sleep
from typing import Any

import pytest
from httpx2 import AsyncClient
from sqlalchemy.ext.asyncio import AsyncSession

from app.example.catalog.models import Category, Product
from app.kit.db.session import Database
from app.kit.writes.bulk import insert_many
from tests.example.catalog_factories import (
    count_products,
    make_category,
    make_product,
    product_rows,
)
from tests.example.factories import as_json
from tests.example.order_factories import wait_for_blocked
from tests.support.statements import counting


async def batch_of(session: AsyncSession, count: int) -> list[dict[str, Any]]:
    """Return the JSON rows of new products."""
    rows = await product_rows(session, count)
    await session.commit()
    return [row | {"category_id": as_json(row["category_id"])} for row in rows]


def without_stock(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows without stock, which PUT does not accept."""
    return [{name: row[name] for name in row if name != "stock"} for row in rows]


async def test_batch_creates_thousand_products_in_three_statements(
    client: AsyncClient, session: AsyncSession, database: Database
) -> None:
    rows = await batch_of(session, 1000)
    with counting(database.engine) as statements:
        response = await client.post("/products/batch", json={"rows": rows})
    assert response.status_code == 201
    # Existing skus and slugs, existing categories, the insert.
    statements.assert_count(3)
    ids = response.json()["ids"]
    for index in (0, 499, 999):
        product = (await client.get(f"/products/{ids[index]}")).json()
        assert product["sku"] == rows[index]["sku"]
    assert await count_products(session) == 1000


async def test_batch_reports_every_invalid_field_with_its_row(
    client: AsyncClient, session: AsyncSession
) -> None:
    rows = await batch_of(session, 5)
    rows[1]["sku"] = "lower"
    rows[3] |= {"price_cents": -1, "colour": "red"}
    response = await client.post("/products/batch", json={"rows": rows})
    assert response.status_code == 422
    assert {error["field"] for error in response.json()["errors"]} == {
        "body.rows.1.sku",
        "body.rows.3.price_cents",
        "body.rows.3.colour",
    }
    assert await count_products(session) == 0


async def test_batch_reports_duplicates_conflicts_and_missing_categories_by_row(
    client: AsyncClient, session: AsyncSession
) -> None:
    taken = await make_product(session)
    deleted = await make_category(session)
    await client.delete(f"/categories/{deleted.id}")
    rows = await batch_of(session, 6)
    rows[1]["category_id"] = as_json(deleted.id)
    rows[2]["sku"] = rows[0]["sku"]
    rows[3]["slug"] = rows[0]["slug"]
    rows[4]["sku"] = taken.sku
    rows[5]["slug"] = taken.slug
    response = await client.post("/products/batch", json={"rows": rows})
    assert response.status_code == 422
    assert {error["field"]: error["message"] for error in response.json()["errors"]} == {
        "body.rows.1.category_id": "category not found",
        "body.rows.2.sku": "must be unique, but is the same as in row 0",
        "body.rows.3.slug": "must be unique, but is the same as in row 0",
        "body.rows.4.sku": "already exists",
        "body.rows.5.slug": "already exists",
    }
    assert await count_products(session) == 1
    response = await client.post("/products/batch", json={"rows": [rows[0], rows[5]]})
    assert response.status_code == 409
    assert [error["field"] for error in response.json()["errors"]] == ["body.rows.1.slug"]
    assert await count_products(session) == 1


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("count", [0, 1001])
async def test_batch_size_is_limited(client: AsyncClient, method: str, count: int) -> None:
    rows: list[dict[str, Any]] = [{}] * count
    response = await client.request(method, "/products/batch", json={"rows": rows})
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == ["body.rows"]


async def test_put_reports_inserted_and_updated_counts_and_keeps_stock(
    client: AsyncClient, session: AsyncSession, database: Database
) -> None:
    old = await make_product(session, name="Old", stock=7)
    rows = without_stock(await batch_of(session, 3))
    rows[1]["sku"] = old.sku
    with counting(database.engine) as statements:
        response = await client.put("/products/batch", json={"rows": rows})
    assert response.status_code == 200
    assert response.json() == {"inserted": 2, "updated": 1}
    statements.assert_count(3)
    body = (await client.get(f"/products/by-sku/{old.sku}")).json()
    assert body["id"] == as_json(old.id)
    assert (body["name"], body["slug"]) == (rows[1]["name"], rows[1]["slug"])
    assert (body["stock"], body["version"]) == (7, 2)
    assert body["updated_at"] > body["created_at"]
    again = await client.put("/products/batch", json={"rows": rows})
    assert again.json() == {"inserted": 0, "updated": 3}


async def test_put_with_taken_slug_changes_nothing(
    client: AsyncClient, session: AsyncSession
) -> None:
    other = await make_product(session)
    rows = without_stock(await batch_of(session, 2))
    rows[1]["slug"] = other.slug
    response = await client.put("/products/batch", json={"rows": rows})
    assert response.status_code == 409
    assert [error["field"] for error in response.json()["errors"]] == ["body.rows.1.slug"]
    assert await count_products(session) == 1


async def test_put_recreates_deleted_product(client: AsyncClient, session: AsyncSession) -> None:
    deleted = await make_product(session)
    await client.delete(f"/products/{deleted.id}")
    (row,) = without_stock(await batch_of(session, 1))
    row["sku"] = deleted.sku
    response = await client.put("/products/batch", json={"rows": [row]})
    assert response.json() == {"inserted": 1, "updated": 0}
    body = (await client.get(f"/products/by-sku/{deleted.sku}")).json()
    assert body["id"] != as_json(deleted.id)


@pytest.mark.usefixtures("without_retries")
async def test_concurrent_puts_in_opposite_order_all_succeed(
    committing_client: AsyncClient, own_session: AsyncSession
) -> None:
    rows = without_stock(await batch_of(own_session, 500))
    batches = [{"rows": rows}, {"rows": rows[::-1]}] * 3
    responses = await gather(
        *(committing_client.put("/products/batch", json=batch) for batch in batches)
    )
    assert [response.status_code for response in responses] == [200] * len(batches)
    assert sum(response.json()["inserted"] for response in responses) == 500


@pytest.mark.usefixtures("without_retries")
async def test_concurrent_posts_in_opposite_order_create_products_once(
    committing_client: AsyncClient, own_session: AsyncSession
) -> None:
    rows = await batch_of(own_session, 500)
    batches = [{"rows": rows}, {"rows": rows[::-1]}] * 3
    responses = await gather(
        *(committing_client.post("/products/batch", json=batch) for batch in batches)
    )
    assert sorted(response.status_code for response in responses) == [201] + [409] * 5
    for response in responses:
        # An error per row for both the sku and the slug.
        if response.status_code == 409:
            fields = {error["field"] for error in response.json()["errors"]}
            assert fields == {
                f"body.rows.{index}.{name}" for index in range(500) for name in ("sku", "slug")
            }
    assert await count_products(own_session) == 500


@pytest.mark.parametrize(("method", "status"), [("POST", 201), ("PUT", 200)])
async def test_batches_with_crosswise_slugs_do_not_deadlock(
    committing_client: AsyncClient, own_session: AsyncSession, method: str, status: int
) -> None:
    # Sorted by sku, the batches reach the slugs in opposite order.
    rows = without_stock(await batch_of(own_session, 1000))
    one, two = rows[:500], rows[500:]
    for row, other in zip(one, reversed(two), strict=True):
        other["slug"] = row["slug"]
    responses = await gather(
        *(
            committing_client.request(method, "/products/batch", json={"rows": batch})
            for batch in (one, two)
        )
    )
    assert sorted(response.status_code for response in responses) == [status, 409]
    (conflict,) = [response for response in responses if response.status_code == 409]
    fields = [error["field"] for error in conflict.json()["errors"]]
    assert fields == [f"body.rows.{index}.slug" for index in range(500)]
    assert await count_products(own_session) == 500


@pytest.mark.parametrize(("method", "field"), [("POST", "sku"), ("POST", "slug"), ("PUT", "slug")])
async def test_conflict_with_concurrent_insert_is_reported_by_row(
    committing_client: AsyncClient,
    own_session: AsyncSession,
    own_database: Database,
    method: str,
    field: str,
) -> None:
    rows = without_stock(await batch_of(own_session, 5))
    taken = await product_rows(own_session, 1, **{field: rows[3][field]})
    async with own_database.transaction() as other:
        await insert_many(other, Product, taken)
        request = create_task(
            committing_client.request(method, "/products/batch", json={"rows": rows})
        )
        await wait_for_blocked(own_database, 1)
    response = await request
    assert response.status_code == 409
    assert response.json()["errors"] == [
        {"field": f"body.rows.3.{field}", "message": "already exists"}
    ]
    assert await count_products(own_session) == 1


async def test_category_deleted_concurrently_is_reported_by_row(
    committing_client: AsyncClient, own_session: AsyncSession, own_database: Database
) -> None:
    rows = await batch_of(own_session, 3)
    deleted = await make_category(own_session)
    rows[2]["category_id"] = as_json(deleted.id)
    async with own_database.transaction() as other:
        await other.delete(await other.get_one(Category, deleted.id))
        await other.flush()
        request = create_task(committing_client.post("/products/batch", json={"rows": rows}))
        await wait_for_blocked(own_database, 1)
    response = await request
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == ["body.rows.2.category_id"]
    assert await count_products(own_session) == 0


async def test_batch_is_retried_after_deadlock(
    committing_client: AsyncClient, own_session: AsyncSession, own_database: Database
) -> None:
    rows = await batch_of(own_session, 2)
    rows.sort(key=lambda row: row["sku"])
    first, last = [(await product_rows(own_session, 1, sku=row["sku"]))[0] for row in rows]
    async with own_database.transaction() as other:
        await insert_many(other, Product, [last])
        request = create_task(committing_client.post("/products/batch", json={"rows": rows}))
        await wait_for_blocked(own_database, 1)
        # PostgreSQL ends the transaction that has waited longer: the request.
        await sleep(0.1)
        await insert_many(other, Product, [first])
    response = await request
    assert response.status_code == 409
    assert [error["field"] for error in response.json()["errors"]] == [
        "body.rows.0.sku",
        "body.rows.1.sku",
    ]
    assert await count_products(own_session) == 2
