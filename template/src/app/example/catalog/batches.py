"""Bulk writes of products. If a row is invalid, nothing is stored, and the error lists it."""

from collections.abc import Sequence
from operator import attrgetter

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.example.catalog.models import Category, Product
from app.example.catalog.schemas import ProductCreate, ProductIn, ProductsAdded
from app.kit.db.base import any_of
from app.kit.db.ids import Id
from app.kit.errors.problems import FieldProblem
from app.kit.writes.bulk import insert_returning
from app.kit.writes.request_checks import (
    find_duplicates,
    find_invalid,
    raise_if_invalid,
    validate_then_store,
)
from app.kit.writes.upsert import UpsertResult, upsert_many

ALREADY_EXISTS = "already exists"


async def create_products(rows: Sequence[ProductCreate], session: AsyncSession) -> ProductsAdded:
    """Create products and return their ids in the order of the rows."""

    async def check() -> None:
        sku_by_slug = await _stored_skus(session, rows)
        skus = set(sku_by_slug.values())
        conflicts = [
            *find_invalid(rows, "sku", ALREADY_EXISTS, lambda row: row.sku in skus),
            *find_invalid(rows, "slug", ALREADY_EXISTS, lambda row: row.slug in sku_by_slug),
        ]
        raise_if_invalid(await _find_problems(session, rows), conflicts)

    async def store() -> dict[str, Id]:
        # Insert in the order of the SKUs: requests with the same products cannot deadlock.
        ordered = sorted(rows, key=attrgetter("sku"))
        keys = await insert_returning(session, Product, ordered)
        return {row.sku: key for row, key in zip(ordered, keys, strict=True)}

    stored = await validate_then_store(session, check, store)
    return ProductsAdded(ids=[stored[row.sku] for row in rows])


async def put_products(rows: Sequence[ProductIn], session: AsyncSession) -> UpsertResult:
    """Create products, or update those with the same SKU. An update keeps the stock."""

    async def check() -> None:
        sku_by_slug = await _stored_skus(session, rows)

        def is_slug_of_another_product(row: ProductIn) -> bool:
            return row.slug in sku_by_slug and sku_by_slug[row.slug] != row.sku

        conflicts = find_invalid(rows, "slug", ALREADY_EXISTS, is_slug_of_another_product)
        raise_if_invalid(await _find_problems(session, rows), list(conflicts))

    return await validate_then_store(
        session, check, lambda: upsert_many(session, Product, rows, by=["sku"])
    )


async def _stored_skus(session: AsyncSession, rows: Sequence[ProductIn]) -> dict[str, str]:
    """Return the SKU by slug of the stored products that have the SKU or slug of a row."""
    statement = select(Product.slug, Product.sku).where(
        or_(
            any_of(Product.sku, [row.sku for row in rows]),
            any_of(Product.slug, [row.slug for row in rows]),
        )
    )
    return dict((await session.execute(statement)).all())


async def _find_problems(session: AsyncSession, rows: Sequence[ProductIn]) -> list[FieldProblem]:
    wanted = {row.category_id for row in rows}
    known = set(await session.scalars(select(Category.id).where(any_of(Category.id, wanted))))
    return [
        *find_invalid(
            rows, "category_id", "category not found", lambda row: row.category_id not in known
        ),
        *find_duplicates(rows, "sku"),
        *find_duplicates(rows, "slug"),
    ]
