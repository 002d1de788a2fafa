"""The product export: NDJSON and CSV of any length in bounded memory."""

import json

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient

from app.kit.db.session import Database
from tests.example.catalog_factories import make_category, make_product

EXPORT = "/products/export"


@pytest.fixture
async def database(own_app: FastAPI) -> Database:
    """A separate database: an export opens its own connection."""
    found: Database = own_app.state.database
    return found


async def test_export_has_one_line_per_matching_product(
    committing_client: AsyncClient, database: Database
) -> None:
    async with database.sessions() as session:
        tea = await make_category(session, slug="tea")
        mint, assam = [
            await make_product(session, category=tea, name=name) for name in ("Mint", "Assam")
        ]
        deleted = await make_product(session, category=tea)
        await make_product(session)
    await committing_client.delete(f"/products/{deleted.id}")
    response = await committing_client.get(EXPORT, params={"category": "tea"})
    assert response.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in response.text.splitlines()]
    assert [line["sku"] for line in lines] == [assam.sku, mint.sku]
    assert lines[1] == (await committing_client.get(f"/products/{mint.id}")).json()


async def test_products_are_exported_as_csv(
    committing_client: AsyncClient, database: Database
) -> None:
    async with database.sessions() as session:
        mint = await make_product(session, name="=Mint, fresh")
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


async def test_export_media_types_are_documented(committing_client: AsyncClient) -> None:
    schema = (await committing_client.get("/openapi.json")).json()
    responses = schema["paths"][EXPORT]["get"]["responses"]
    documented = {status: list(response["content"]) for status, response in responses.items()}
    assert documented["200"] == ["application/x-ndjson"]
    assert documented["422"] == documented["503"] == ["application/problem+json"]
