"""Categories and products to begin a test with, valid unless the test says otherwise."""

import itertools
from typing import Any, TypeVar

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.example.catalog.models import Category, Product
from app.kit.db.base import Record

M = TypeVar("M", bound=Record)

_numbers = itertools.count(1)


async def make_category(session: AsyncSession, **values: Any) -> Category:
    """Store a category."""
    number = next(_numbers)
    defaults = {"name": f"Category {number}", "slug": f"category-{number}"}
    return await _store(session, Category(**defaults | values))


async def make_product(session: AsyncSession, **values: Any) -> Product:
    """Store a product of ten pieces at 1.99, in a category of its own unless one is given."""
    category = values.pop("category", None) or await make_category(session)
    return await _store(session, Product(category=category, **described() | values))


def described(**values: Any) -> dict[str, Any]:
    """The columns of a product that is like no other, its category apart."""
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
    """The columns of so many products, all in one new category."""
    category = await make_category(session)
    return [described(category_id=category.id, **values) for _ in range(count)]


async def stored_products(session: AsyncSession) -> int:
    """How many products there are."""
    return await session.scalar(select(func.count()).select_from(Product)) or 0


def as_json(key: object) -> Any:
    """A key as the API shows it: a number stays one, anything else is text."""
    return key if isinstance(key, int) else str(key)


async def _store(session: AsyncSession, record: M) -> M:
    session.add(record)
    await session.commit()
    return record
