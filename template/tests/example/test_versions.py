"""Versions: nobody writes over a change that they have not seen."""

from asyncio import gather

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.exc import StaleDataError

from app.example.catalog.repository import ProductRepository
from tests.example.catalog_factories import make_product
from tests.example.order_factories import open_shop


async def test_an_answer_names_the_version_that_it_shows(
    client: AsyncClient, session: AsyncSession
) -> None:
    path = f"/products/{(await make_product(session)).id}"
    read = await client.get(path)
    assert read.headers["ETag"] == '"1"'
    changed = await client.patch(path, json={"name": "New"})
    assert changed.headers["ETag"] == '"2"'
    assert (await client.get(path)).headers["ETag"] == '"2"'


async def test_the_version_that_was_read_can_be_changed_once(
    client: AsyncClient, session: AsyncSession
) -> None:
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
async def test_a_condition_is_met_not_met_or_malformed(
    client: AsyncClient, session: AsyncSession, tags: str, status: int
) -> None:
    path = f"/products/{(await make_product(session)).id}"
    headers = {b"If-Match": tags.encode("latin-1")}
    response = await client.patch(path, json={"name": "New"}, headers=headers)
    assert response.status_code == status
    if status == 422:
        assert response.json()["errors"][0]["field"] == "header.if-match"


async def test_without_a_condition_the_last_to_write_wins(
    client: AsyncClient, session: AsyncSession
) -> None:
    path = f"/products/{(await make_product(session)).id}"
    for name in ("Mine", "Theirs"):
        assert (await client.patch(path, json={"name": name})).status_code == 200
    assert (await client.get(path)).json()["name"] == "Theirs"


async def test_a_change_to_a_row_that_has_changed_since_is_refused(own_app: FastAPI) -> None:
    shop = await open_shop(own_app, 10)
    key = shop.products[0].id
    async with shop.database.sessions() as mine, shop.database.transaction() as theirs:
        slow = await ProductRepository(mine).get(key)
        (await ProductRepository(theirs).get(key)).stock = 3
        await theirs.commit()
        slow.stock -= 1
        with pytest.raises(StaleDataError):
            await mine.flush()
    assert await shop.stocks() == [3]


async def test_of_two_requests_that_read_the_same_version_one_is_a_conflict(
    own_app: FastAPI, committing_client: AsyncClient
) -> None:
    shop = await open_shop(own_app, 10)
    path = f"/products/{shop.products[0].id}"
    async with shop.database.transaction() as holder:
        await ProductRepository(holder).get(shop.products[0].id, for_update=True)
        # Both have read it and wait to write it.
        patches = gather(
            *(committing_client.patch(path, json={"stock": stock}) for stock in (1, 2))
        )
        await shop.until_waiting(2)
    won, lost = sorted(await patches, key=lambda response: response.status_code)
    assert (won.status_code, lost.status_code) == (200, 409)
    assert await shop.stocks() == [won.json()["stock"]]


async def test_a_change_without_a_look_is_a_version_too(session: AsyncSession) -> None:
    products, product = ProductRepository(session), await make_product(session)
    changed = await products.change(product.id, {"name": "New"})
    assert changed is product
    assert (product.name, product.version) == ("New", 2)
    assert (await products.change(product.id, {})).version == 2
