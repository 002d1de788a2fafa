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

TAKEN = "already exists"


async def create_products(rows: Sequence[ProductCreate], session: AsyncSession) -> ProductsAdded:
    """Create products and return their ids in the order of the rows."""

    async def check() -> None:
        owners = await _owners(session, rows)
        skus = set(owners.values())
        taken = [
            *find_invalid(rows, "sku", TAKEN, lambda row: row.sku in skus),
            *find_invalid(rows, "slug", TAKEN, lambda row: row.slug in owners),
        ]
        raise_if_invalid(await _invalid(session, rows), taken)

    async def store() -> dict[str, Id]:
        # Insert in the order of the SKUs: requests with the same products cannot deadlock.
        ordered = sorted(rows, key=attrgetter("sku"))
        keys = await insert_returning(session, Product, (row.model_dump() for row in ordered))
        return {row.sku: key for row, key in zip(ordered, keys, strict=True)}

    stored = await validate_then_store(session, check, store)
    return ProductsAdded(ids=[stored[row.sku] for row in rows])


async def put_products(rows: Sequence[ProductIn], session: AsyncSession) -> UpsertResult:
    """Create products, or update those with the same SKU. An update keeps the stock."""

    async def check() -> None:
        owners = await _owners(session, rows)
        taken = find_invalid(
            rows, "slug", TAKEN, lambda row: owners.get(row.slug, row.sku) != row.sku
        )
        raise_if_invalid(await _invalid(session, rows), list(taken))

    async def store() -> UpsertResult:
        return await upsert_many(session, Product, (row.model_dump() for row in rows), by=["sku"])

    return await validate_then_store(session, check, store)


async def _owners(session: AsyncSession, rows: Sequence[ProductIn]) -> dict[str, str]:
    """Map slug to SKU for the stored products that have the slug or SKU of a row."""
    statement = select(Product.slug, Product.sku).where(
        or_(
            any_of(Product.sku, [row.sku for row in rows]),
            any_of(Product.slug, [row.slug for row in rows]),
        )
    )
    return dict((await session.execute(statement)).all())


async def _invalid(session: AsyncSession, rows: Sequence[ProductIn]) -> list[FieldProblem]:
    wanted = {row.category_id for row in rows}
    known = set(await session.scalars(select(Category.id).where(any_of(Category.id, wanted))))
    return [
        *find_invalid(
            rows,
            "category_id",
            "category not found",
            lambda row: row.category_id not in known,
        ),
        *find_duplicates(rows, "sku"),
        *find_duplicates(rows, "slug"),
    ]
