"""Factories for shops: a customer and products for sale."""

from asyncio import sleep, timeout
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.example.catalog.models import Product, ProductStatus
from app.example.users.models import User
from app.kit.db.session import Database
from tests.example.catalog_factories import make_category, make_product
from tests.example.factories import as_json, make_user


@dataclass(frozen=True)
class Shop:
    """A customer and products for sale, sorted by id."""

    database: Database
    customer: User
    products: Sequence[Product]

    def order(self, *quantities: int) -> dict[str, Any]:
        """Return the request body of an order with these quantities of the products."""
        lines = [
            {"product_id": as_json(product.id), "quantity": quantity}
            for product, quantity in zip(self.products, quantities, strict=False)
        ]
        return {"user_id": as_json(self.customer.id), "lines": lines}

    def transfer(self, source: int, target: int, quantity: int) -> dict[str, Any]:
        """Return the request body of a stock transfer between two products, given by index."""
        return {
            "from_product_id": as_json(self.products[source].id),
            "to_product_id": as_json(self.products[target].id),
            "quantity": quantity,
        }

    async def stocks(self) -> list[int]:
        """Return the stock of each product, soft-deleted products included."""
        async with self.database.transaction() as session:
            return list(await session.scalars(text("SELECT stock FROM products ORDER BY id")))

    async def wait_for_blocked(self, sessions: int) -> None:
        """Wait until this many sessions wait for a lock."""
        await wait_for_blocked(self.database, sessions)

    async def count(self, table: str) -> int:
        """Return the number of rows in a table."""
        async with self.database.transaction() as session:
            return await session.scalar(text(f"SELECT count(*) FROM {table}")) or 0


async def wait_for_blocked(database: Database, sessions: int) -> None:
    """Wait until this many sessions wait for a lock.

    Raises TimeoutError.
    """
    locked = "datname = current_database() AND wait_event_type = 'Lock'"
    statement = text(f"SELECT count(*) FROM pg_stat_activity WHERE {locked}")
    async with timeout(10):
        waiting = 0
        while waiting < sessions:
            async with database.transaction() as session:
                waiting = await session.scalar(statement) or 0
            await sleep(0.01)


async def make_shop(app: FastAPI, session: AsyncSession, *stocks: int, **values: Any) -> Shop:
    """Store a customer, and an active product for each stock value."""
    category = await make_category(session)
    columns = {"category": category, "status": ProductStatus.ACTIVE, **values}
    products = [await make_product(session, **columns) for _ in stocks]
    products.sort(key=lambda product: product.id)
    for product, stock in zip(products, stocks, strict=True):
        product.stock = stock
    return Shop(app.state.database, await make_user(session), products)


async def open_shop(app: FastAPI, *stocks: int, **values: Any) -> Shop:
    """Commit a shop to the database of `own_app`, for concurrent requests."""
    database: Database = app.state.database
    async with database.sessions() as session:
        return await make_shop(app, session, *stocks, **values)
