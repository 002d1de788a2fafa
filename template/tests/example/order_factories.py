"""A shop to begin a test with: a customer and products for sale, committed for all to see."""

from asyncio import sleep, timeout
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from sqlalchemy import text

from app.example.catalog.models import Product, ProductStatus
from app.example.users.models import User
from app.kit.db.session import Database
from tests.example.catalog_factories import as_json, make_category, make_product
from tests.example.factories import make_user


@dataclass(frozen=True)
class Shop:
    """What a test of orders is about. Its products are in the order of their keys."""

    database: Database
    customer: User
    products: Sequence[Product]

    def order(self, *quantities: int) -> dict[str, Any]:
        """The body of an order for so much of each product."""
        lines = [
            {"product_id": as_json(product.id), "quantity": quantity}
            for product, quantity in zip(self.products, quantities, strict=False)
        ]
        return {"user_id": as_json(self.customer.id), "lines": lines}

    def transfer(self, giver: int, taker: int, quantity: int) -> dict[str, Any]:
        """The body of a transfer between two products, by their places."""
        return {
            "from_product_id": as_json(self.products[giver].id),
            "to_product_id": as_json(self.products[taker].id),
            "quantity": quantity,
        }

    async def stocks(self) -> list[int]:
        """What is left of each product, whether or not it is still in the catalog."""
        async with self.database.transaction() as session:
            return list(await session.scalars(text("SELECT stock FROM products ORDER BY id")))

    async def until_waiting(self, sessions: int) -> None:
        """Come back when so many sessions wait for a lock."""
        await until_waiting(self.database, sessions)

    async def count(self, table: str) -> int:
        """How many rows there are in a table."""
        async with self.database.transaction() as session:
            return await session.scalar(text(f"SELECT count(*) FROM {table}")) or 0


async def until_waiting(database: Database, sessions: int) -> None:
    """Come back when so many sessions wait for a lock; `TimeoutError` if they never do."""
    locked = "datname = current_database() AND wait_event_type = 'Lock'"
    statement = text(f"SELECT count(*) FROM pg_stat_activity WHERE {locked}")
    async with timeout(10):
        waiting = 0
        while waiting < sessions:
            async with database.transaction() as session:
                waiting = await session.scalar(statement) or 0
            await sleep(0.01)


async def open_shop(app: FastAPI, *stocks: int, **values: Any) -> Shop:
    """Store a customer, and an active product for each stock."""
    database: Database = app.state.database
    async with database.sessions() as session:
        category = await make_category(session)
        sold = {"category": category, "status": ProductStatus.ACTIVE, **values}
        products = [await make_product(session, **sold) for _ in stocks]
        products.sort(key=lambda product: product.id)
        for product, stock in zip(products, stocks, strict=True):
            product.stock = stock
        customer = await make_user(session)
    return Shop(database, customer, products)
