"""The product export: streaming, lost connections, replicas and disconnected clients."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy import URL, func, select, text

from app.example.catalog.models import Product
from app.kit.db.session import Database
from app.kit.http.streaming import ROWS_AT_ONCE
from app.kit.writes.bulk import insert_many
from app.main import create_app
from tests.conformance.support.asgi import http_scope
from tests.example.catalog_factories import make_category, make_product, product_payload
from tests.support.app import client_of, running
from tests.support.database import clone, settings_with

PARTS = 5
EXPORT = "/products/export"
TERMINATE_OTHER_SESSIONS = text(
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


@pytest.fixture
async def database(own_app: FastAPI) -> Database:
    """A separate database: an export opens its own connection."""
    found: Database = own_app.state.database
    return found


@pytest.fixture
async def many_products(database: Database) -> Database:
    """The same database with many products."""
    async with database.sessions() as session:
        category = await make_category(session)
        rows = (product_payload(category_id=category.id) for _ in range(PARTS * ROWS_AT_ONCE))
        await insert_many(session, Product, rows)
        await session.commit()
    return database


class Client:
    """An ASGI client with a callback after each part of the response body."""

    def __init__(self, on_part: Callable[[], Awaitable[None]] | None = None) -> None:
        self.parts: list[bytes] = []
        self.complete = False
        self.disconnected = asyncio.Event()
        self._requested = False
        self._on_part = on_part

    async def export(self, app: FastAPI) -> None:
        """Request the export."""
        scope = http_scope("GET", EXPORT)
        # Before version 2.4, Starlette waits for a disconnect while it sends the response.
        scope["asgi"]["spec_version"] = "2.3"
        await app(scope, self._receive, self._send)

    async def _receive(self) -> dict[str, Any]:
        if self._requested:
            await self.disconnected.wait()
            return {"type": "http.disconnect"}
        self._requested = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def _send(self, message: Any) -> None:
        if message.get("body"):
            self.parts.append(message["body"])
            if self._on_part:
                await self._on_part()
        self.complete = message.get("more_body") is False


async def test_export_streams_rows_in_parts(own_app: FastAPI, many_products: Database) -> None:
    client = Client()
    await client.export(own_app)
    assert client.complete
    assert [part.count(b"\n") for part in client.parts] == [ROWS_AT_ONCE] * PARTS


async def test_interrupted_export_is_incomplete(own_app: FastAPI, many_products: Database) -> None:
    async def terminate_sessions() -> None:
        async with many_products.transaction() as session:
            await session.execute(TERMINATE_OTHER_SESSIONS)

    client = Client(terminate_sessions)
    with pytest.raises(Exception, match="response already started"):
        await client.export(own_app)
    # The first part was sent before the last rows were read.
    assert len(client.parts) == 1
    assert not client.complete


async def test_export_reads_a_read_only_snapshot(database: Database) -> None:
    async with database.sessions() as session:
        await make_product(session)
    async with database.snapshot() as session:
        assert await session.scalar(text("SHOW transaction_read_only")) == "on"
        assert await session.scalar(text("SHOW transaction_isolation")) == "repeatable read"
        for _ in range(2):
            assert await session.scalar(select(func.count()).select_from(Product)) == 1
            async with database.sessions() as other:
                await make_product(other)
    # The connection returns to the pool with its default isolation level.
    async with database.reading() as session:
        assert await session.scalar(select(func.count()).select_from(Product)) == 3
        async with database.sessions() as other:
            await make_product(other)
        assert await session.scalar(select(func.count()).select_from(Product)) == 4


async def test_export_reads_replica_unless_no_cache(
    own_database_url: URL, template: URL, database: Database
) -> None:
    async with database.sessions() as session:
        await make_product(session)
    with clone(template) as replica:
        second = settings_with(replica).database.url
        replicated = create_app(settings_with(own_database_url, replica_url=second))
        async with running(replicated), client_of(replicated) as client:
            assert (await client.get(EXPORT)).text == ""
            fresh = await client.get(EXPORT, headers={"Cache-Control": "no-cache"})
    assert len(fresh.text.splitlines()) == 1


async def test_error_before_first_row_is_a_problem_response(
    committing_client: AsyncClient, database: Database
) -> None:
    async with database.transaction() as session:
        await session.execute(text("ALTER TABLE products RENAME TO gone"))
    response = await committing_client.get(EXPORT)
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"


async def test_client_disconnect_releases_connection(
    own_database_url: URL, many_products: Database
) -> None:
    async def disconnect() -> None:
        client.disconnected.set()
        await asyncio.sleep(60)

    client = Client(disconnect)
    settings = settings_with(own_database_url, pool_size=1, max_overflow=0, pool_timeout=2)
    async with running(create_app(settings)) as app:
        await client.export(app)
        assert (len(client.parts), client.complete) == (1, False)
        async with client_of(app) as other:
            assert (await other.get("/products")).status_code == 200
