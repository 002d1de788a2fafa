"""Factories for categories and products. Each value has a valid default."""

import itertools
from typing import Any, TypeVar

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.example.catalog.models import Category, Product
from app.kit.db.base import TimestampedModel

M = TypeVar("M", bound=TimestampedModel)

_numbers = itertools.count(1)


async def make_category(session: AsyncSession, **values: Any) -> Category:
    """Store a category."""
    number = next(_numbers)
    defaults = {"name": f"Category {number}", "slug": f"category-{number}"}
    return await _store(session, Category(**defaults | values))


async def make_product(session: AsyncSession, **values: Any) -> Product:
    """Store a product, by default with 10 in stock, a price of 1.99 and a new category."""
    category = values.pop("category", None) or await make_category(session)
    return await _store(session, Product(category=category, **product_payload() | values))


def product_payload(**values: Any) -> dict[str, Any]:
    """Return the columns of a new product, without its category."""
    number = next(_numbers)
    defaults = {
        "sku": f"SKU-{number:06}",
        "slug": f"product-{number}",
        "name": f"Product {number}",
        "price_cents": 199,
        "stock": 10,
    }
    return defaults | values


async def product_rows(session: AsyncSession, count: int, **values: Any) -> list[dict[str, Any]]:
    """Return the columns of `count` new products, all in one new category."""
    category = await make_category(session)
    return [product_payload(category_id=category.id, **values) for _ in range(count)]


async def count_products(session: AsyncSession) -> int:
    """Return the number of products."""
    return await session.scalar(select(func.count()).select_from(Product)) or 0


async def _store(session: AsyncSession, record: M) -> M:
    session.add(record)
    await session.commit()
    return record
