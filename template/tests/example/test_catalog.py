"""Category and product endpoints."""

from typing import Any

import pytest
from httpx2 import AsyncClient
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.example.catalog.models import (
    MAX_STOCK,
    OutOfStock,
    Product,
    ProductStatus,
    StockFull,
)
from app.example.catalog.repository import matching
from app.example.catalog.schemas import ProductFilter
from app.kit.db.session import Database
from tests.example.catalog_factories import make_category, make_product, product_payload
from tests.example.factories import as_json
from tests.support.statements import counting


async def test_created_product_is_found_by_id_sku_and_slug(
    client: AsyncClient, session: AsyncSession
) -> None:
    category = await make_category(session, name="Tea", slug="tea")
    new = product_payload(sku="TEA-1", slug="green-tea", category_id=as_json(category.id))
    created = await client.post("/products", json=new)
    assert created.status_code == 201
    body = created.json()
    assert body["category"] == {"id": as_json(category.id), "name": "Tea", "slug": "tea"}
    assert (body["status"], body["price_cents"], body["stock"]) == ("draft", 199, 10)
    for path in (body["id"], "by-sku/TEA-1", "by-slug/green-tea"):
        found = await client.get(f"/products/{path}")
        assert found.status_code == 200
        assert found.json() == body


@pytest.mark.parametrize("path", ["by-sku/NONE", "by-slug/none"])
async def test_unknown_sku_or_slug_is_not_found(client: AsyncClient, path: str) -> None:
    assert (await client.get(f"/products/{path}")).status_code == 404


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"sku": "lower"}, "body.sku"),
        ({"sku": "A" * 41}, "body.sku"),
        ({"slug": "Upper"}, "body.slug"),
        ({"slug": "ends-"}, "body.slug"),
        ({"name": "a\x00b"}, "body.name"),
        ({"status": "lost"}, "body.status"),
        ({"price_cents": -1}, "body.price_cents"),
        ({"price_cents": 0.5}, "body.price_cents"),
        ({"price_cents": 10**30}, "body.price_cents"),
        ({"stock": -1}, "body.stock"),
        ({"stock": 2**31}, "body.stock"),
        ({"version": 7}, "body.version"),
    ],
)
async def test_invalid_field_is_reported_and_nothing_is_stored(
    client: AsyncClient, session: AsyncSession, change: dict[str, Any], field: str
) -> None:
    category = await make_category(session)
    new = product_payload(category_id=as_json(category.id)) | change
    response = await client.post("/products", json=new)
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == [field]
    assert (await client.get("/products")).json()["total"] == 0


async def test_product_requires_existing_category(
    client: AsyncClient, session: AsyncSession
) -> None:
    product = await make_product(session)
    category = await make_category(session)
    missing = as_json(category.id)
    assert (await client.delete(f"/categories/{missing}")).status_code == 204
    path, change = f"/products/{product.id}", {"category_id": missing}
    for response in (
        await client.post("/products", json=product_payload(**change)),
        await client.patch(path, json=change),
    ):
        assert response.status_code == 422
        assert response.json()["errors"][0]["field"] == "body.category_id"


@pytest.mark.parametrize("field", ["sku", "slug"])
async def test_duplicate_sku_or_slug_is_a_conflict_until_product_is_deleted(
    client: AsyncClient, session: AsyncSession, field: str
) -> None:
    product = await make_product(session)
    new = product_payload(category_id=as_json(product.category_id)) | {
        field: getattr(product, field)
    }
    response = await client.post("/products", json=new)
    assert response.status_code == 409
    assert response.json()["errors"] == [{"field": f"body.{field}", "message": "already exists"}]
    assert (await client.delete(f"/products/{product.id}")).status_code == 204
    assert (await client.post("/products", json=new)).status_code == 201


async def test_patch_changes_category_and_increments_version(
    client: AsyncClient, session: AsyncSession
) -> None:
    product = await make_product(session)
    category = await make_category(session, slug="elsewhere")
    change = {"category_id": as_json(category.id), "status": "active"}
    response = await client.patch(f"/products/{product.id}", json=change)
    assert response.status_code == 200
    body = response.json()
    assert (body["category"]["slug"], body["status"]) == ("elsewhere", "active")
    assert (body["name"], body["version"]) == (product.name, 2)
    assert (await client.get(f"/products/{product.id}")).json() == body


async def test_category_with_products_cannot_be_deleted(
    client: AsyncClient, session: AsyncSession
) -> None:
    product = await make_product(session)
    path = f"/categories/{product.category_id}"
    response = await client.delete(path)
    assert response.status_code == 409
    assert response.json()["errors"][0]["field"] == "path.category_id"
    assert (await client.get(path)).status_code == 200


async def test_category_is_updated_listed_and_deleted(client: AsyncClient) -> None:
    for name in ("Tea", "Coffee"):
        new = {"name": name, "slug": name.lower()}
        response = await client.post("/categories", json=new)
        assert response.status_code == 201
    path = f"/categories/{response.json()['id']}"
    taken = await client.patch(path, json={"slug": "tea"})
    assert (taken.status_code, taken.json()["errors"][0]["field"]) == (409, "body.slug")
    assert (await client.patch(path, json={"name": "Cocoa"})).json()["slug"] == "coffee"
    page = (await client.get("/categories")).json()
    assert [category["name"] for category in page["items"]] == ["Cocoa", "Tea"]
    assert (await client.get("/categories", params={"q": "co"})).json()["total"] == 1
    assert (await client.delete(path)).status_code == 204
    assert (await client.get(path)).status_code == 404


async def test_product_search_filters_sorts_and_counts(
    client: AsyncClient, session: AsyncSession
) -> None:
    tea = await make_category(session, slug="tea")
    for name, price, stock in (("Assam", 500, 3), ("Darjeeling", 900, 0), ("100% Mint", 300, 7)):
        await make_product(
            session,
            category=tea,
            name=name,
            price_cents=price,
            stock=stock,
            status=ProductStatus.ACTIVE,
        )
    await make_product(session, name="Arabica", sku="COFFEE-1")

    async def found(**params: Any) -> list[str]:
        page = (await client.get("/products", params=params)).json()
        assert page["total"] == len(page["items"])
        return [product["name"] for product in page["items"]]

    assert await found() == ["100% Mint", "Arabica", "Assam", "Darjeeling"]
    assert await found(category="tea", sort="cheapest") == ["100% Mint", "Assam", "Darjeeling"]
    assert await found(category="tea", sort="most_expensive") == [
        "Darjeeling",
        "Assam",
        "100% Mint",
    ]
    assert await found(sort="newest") == ["Arabica", "100% Mint", "Darjeeling", "Assam"]
    assert await found(category="nowhere") == []
    assert await found(status="draft") == ["Arabica"]
    assert await found(q="offee-") == ["Arabica"]
    assert await found(q="%") == ["100% Mint"]
    assert await found(q="100%\\") == []
    assert await found(category="tea", min_price_cents=300, max_price_cents=500) == [
        "100% Mint",
        "Assam",
    ]
    assert await found(in_stock=False) == ["Darjeeling"]
    assert await found(in_stock=True, category="tea") == ["100% Mint", "Assam"]


@pytest.mark.parametrize(
    "params", [{"sort": "hashed_password"}, {"status": "x"}, {"min_price_cents": -1}, {"page": 1}]
)
async def test_invalid_search_parameter_is_rejected(
    client: AsyncClient, params: dict[str, Any]
) -> None:
    response = await client.get("/products", params=params)
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == f"query.{next(iter(params))}"


@pytest.mark.parametrize("rows", [1, 20])
async def test_product_page_takes_one_statement(
    client: AsyncClient, session: AsyncSession, database: Database, rows: int
) -> None:
    for _ in range(rows):
        await make_product(session)
    with counting(database.engine) as statements:
        page = (await client.get("/products", params={"limit": 100})).json()
    assert len(page["items"]) == rows
    statements.assert_count(1)


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ({"category": "tea", "sort": "cheapest"}, "ix_products_category_id_price_cents_id"),
        ({"in_stock": False}, "ix_products_sold_out"),
    ],
)
async def test_search_uses_index(session: AsyncSession, query: dict[str, Any], index: str) -> None:
    # PostgreSQL prefers a sequential scan for an empty table.
    for setting in ("enable_seqscan", "enable_bitmapscan"):
        await session.execute(text(f"SET LOCAL {setting} = off"))
    dialect = (await session.connection()).dialect
    statement = matching(ProductFilter.model_validate(query))
    sql = statement.compile(dialect=dialect, compile_kwargs={"literal_binds": True})
    plan = "\n".join(await session.scalars(text(f"EXPLAIN {sql}")))
    assert f"using {index}" in plan
    assert ("Sort" in plan) == ("category" not in query)
    # A generic plan knows no parameter values, so the statement must contain the index predicate.
    assert (" = 0" in str(statement.compile(dialect=dialect))) == ("in_stock" in query)


async def test_discontinue_updates_all_products_of_category(
    client: AsyncClient, session: AsyncSession
) -> None:
    category = await make_category(session)
    products = [await make_product(session, category=category) for _ in range(3)]
    other = await make_product(session)
    path = f"/categories/{category.id}/discontinue"
    assert (await client.post(path)).json() == {"products": 3}
    assert (await client.post(path)).json() == {"products": 0}
    body = (await client.get(f"/products/{products[0].id}")).json()
    assert (body["status"], body["version"]) == ("discontinued", 2)
    assert body["updated_at"] > body["created_at"]
    assert (await client.get(f"/products/{other.id}")).json()["status"] == "draft"


async def test_clear_discontinued_deletes_only_products_older_than_date(
    client: AsyncClient, session: AsyncSession
) -> None:
    category = await make_category(session)
    old = await make_product(session, category=category, status=ProductStatus.DISCONTINUED)
    kept = await make_product(session, category=category)
    path = "/products/discontinued"
    past = {"before": "2020-01-01T00:00:00Z"}
    assert (await client.delete(path, params=past)).json() == {"products": 0}
    future = {"before": "2999-01-01T00:00:00+01:00"}
    assert (await client.delete(path, params=future)).json() == {"products": 1}
    assert (await client.get(f"/products/{old.id}")).status_code == 404
    assert (await client.get(f"/products/{kept.id}")).status_code == 200
    assert (await client.delete(path)).status_code == 422


async def test_reserve_and_restock_enforce_limits(session: AsyncSession) -> None:
    product = await make_product(session, stock=3)
    product.reserve(2)
    product.restock(1)
    assert product.stock == 2
    with pytest.raises(OutOfStock):
        product.reserve(3)
    with pytest.raises(StockFull):
        product.restock(MAX_STOCK)
    for change in (product.reserve, product.restock):
        with pytest.raises(ValueError, match="at least 1"):
            change(0)
    assert product.stock == 2


@pytest.mark.parametrize(
    ("column", "constraint"),
    [("stock", "stock_is_not_negative"), ("price_cents", "price_is_not_negative")],
)
async def test_database_check_constraints_match_model_rules(
    session: AsyncSession, column: str, constraint: str
) -> None:
    await make_product(session)
    with pytest.raises(IntegrityError, match=constraint):
        await session.execute(text(f"UPDATE products SET {column} = -1"))


async def test_status_is_stored_by_value(session: AsyncSession) -> None:
    await make_product(session, status=ProductStatus.ACTIVE)
    assert await session.scalar(text("SELECT status::text FROM products")) == "active"
    assert await session.scalar(select(Product.status)) is ProductStatus.ACTIVE
