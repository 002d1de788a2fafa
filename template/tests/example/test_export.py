"""The product export as NDJSON and CSV. It opens its own connection, so rows are committed."""

import json

from httpx2 import AsyncClient
from sqlalchemy.ext.asyncio import AsyncSession

from tests.example.catalog_factories import make_category, make_product

EXPORT = "/products/export"


async def test_export_has_one_line_per_matching_product(
    committing_client: AsyncClient, own_session: AsyncSession
) -> None:
    tea = await make_category(own_session, slug="tea")
    mint, assam, deleted = [
        await make_product(own_session, category=tea, name=name)
        for name in ("Mint", "Assam", "Deleted")
    ]
    await make_product(own_session)
    await committing_client.delete(f"/products/{deleted.id}")
    response = await committing_client.get(EXPORT, params={"category": "tea"})
    assert response.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in response.text.splitlines()]
    assert [line["sku"] for line in lines] == [assam.sku, mint.sku]
    assert lines[1] == (await committing_client.get(f"/products/{mint.id}")).json()


async def test_products_are_exported_as_csv(
    committing_client: AsyncClient, own_session: AsyncSession
) -> None:
    mint = await make_product(own_session, name="=Mint, fresh")
    lines = (await committing_client.get("/products/export.csv")).text.splitlines()
    assert lines[0] == "id,sku,name,status,price_cents,stock"
    assert f'{mint.id},{mint.sku},"\'=Mint, fresh"' in lines[1]


async def test_export_without_matches_is_empty(committing_client: AsyncClient) -> None:
    response = await committing_client.get(EXPORT)
    assert (response.status_code, response.content) == (200, b"")


async def test_export_rejects_invalid_filter(committing_client: AsyncClient) -> None:
    response = await committing_client.get(EXPORT, params={"sort": "x", "limit": 1})
    assert response.status_code == 422
    assert {error["field"] for error in response.json()["errors"]} == {"query.sort", "query.limit"}


async def test_export_media_types_are_documented(client: AsyncClient) -> None:
    schema = (await client.get("/openapi.json")).json()
    responses = schema["paths"][EXPORT]["get"]["responses"]
    documented = {status: list(response["content"]) for status, response in responses.items()}
    assert documented["200"] == ["application/x-ndjson"]
    assert documented["422"] == documented["503"] == ["application/problem+json"]
