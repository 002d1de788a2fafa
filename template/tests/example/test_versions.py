"""Optimistic locking with a version column, ETag and If-Match."""

from asyncio import gather

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.exc import StaleDataError

from app.example.catalog.repository import PRODUCTS, ProductRepository
from tests.example.catalog_factories import make_product
from tests.example.order_factories import open_shop


async def test_etag_contains_the_version(client: AsyncClient, session: AsyncSession) -> None:
    path = f"/products/{(await make_product(session)).id}"
    read = await client.get(path)
    assert read.headers["ETag"] == '"1"'
    changed = await client.patch(path, json={"name": "New"})
    assert changed.headers["ETag"] == '"2"'
    assert (await client.get(path)).headers["ETag"] == '"2"'


async def test_stale_if_match_returns_412(client: AsyncClient, session: AsyncSession) -> None:
    path = f"/products/{(await make_product(session)).id}"
    tag = {"If-Match": (await client.get(path)).headers["ETag"]}
    assert (await client.patch(path, json={"name": "Mine"}, headers=tag)).status_code == 200
    late = await client.patch(path, json={"name": "Theirs"}, headers=tag)
    assert late.status_code == 412
    assert late.headers["content-type"] == "application/problem+json"
    assert (await client.get(path)).json()["name"] == "Mine"

    assert (await client.delete(path, headers=tag)).status_code == 412
    tag = {"If-Match": (await client.get(path)).headers["ETag"]}
    assert (await client.delete(path, headers=tag)).status_code == 204


@pytest.mark.parametrize(
    ("tags", "status"),
    [
        ("*", 200),
        ('"1"', 200),
        ('"7", "1"', 200),
        ('"7","8"', 412),
        ('W/"1"', 412),
        ('"1-gzip"', 412),
        ('""', 412),
        ("1", 422),
        ('"1', 422),
        ('"1" "2"', 422),
        ("", 422),
        ('"é"', 412),
        ('"1",' * 400 + '"1"', 422),
    ],
)
async def test_if_match_conditions(
    client: AsyncClient, session: AsyncSession, tags: str, status: int
) -> None:
    path = f"/products/{(await make_product(session)).id}"
    headers = {b"If-Match": tags.encode("latin-1")}
    response = await client.patch(path, json={"name": "New"}, headers=headers)
    assert response.status_code == status
    if status == 422:
        assert response.json()["errors"][0]["field"] == "header.if-match"


async def test_update_without_if_match_always_succeeds(
    client: AsyncClient, session: AsyncSession
) -> None:
    path = f"/products/{(await make_product(session)).id}"
    for name in ("Mine", "Theirs"):
        assert (await client.patch(path, json={"name": name})).status_code == 200
    assert (await client.get(path)).json()["name"] == "Theirs"


async def test_stale_update_raises_stale_data_error(own_app: FastAPI) -> None:
    shop = await open_shop(own_app, 10)
    product_id = shop.products[0].id
    async with shop.database.sessions() as mine, shop.database.transaction() as theirs:
        stale = await ProductRepository(mine).get(product_id)
        (await ProductRepository(theirs).get(product_id)).stock = 3
        await theirs.commit()
        stale.stock -= 1
        with pytest.raises(StaleDataError):
            await mine.flush()
    assert await shop.stocks() == [3]


async def test_concurrent_updates_of_the_same_version_return_one_conflict(
    own_app: FastAPI, committing_client: AsyncClient
) -> None:
    shop = await open_shop(own_app, 10)
    path = f"/products/{shop.products[0].id}"
    async with shop.database.transaction() as holder:
        await ProductRepository(holder).get(shop.products[0].id, for_update=True)
        # Both requests have read the row and wait to update it.
        patches = gather(
            *(committing_client.patch(path, json={"stock": stock}) for stock in (1, 2))
        )
        await shop.wait_for_blocked(2)
    success, conflict = sorted(await patches, key=lambda response: response.status_code)
    assert (success.status_code, conflict.status_code) == (200, 409)
    assert await shop.stocks() == [success.json()["stock"]]


async def test_update_without_reading_increments_version(session: AsyncSession) -> None:
    product = await make_product(session)
    updated = await PRODUCTS.update(session, product.id, {"name": "New"})
    assert (updated.name, updated.version) == ("New", 2)
    assert (await PRODUCTS.update(session, product.id, {})).version == 2
