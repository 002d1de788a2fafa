"""Bulk writes of products. If a row is invalid, nothing is stored, and the error lists it."""

from collections.abc import Sequence
from operator import attrgetter

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.example.catalog.models import Category, Product
from app.example.catalog.schemas import ProductCreate, ProductIn, ProductsAdded
from app.kit.batch import checked, refuse, repeated, wrong
from app.kit.db.bulk import among, insert_returning
from app.kit.db.ids import Id
from app.kit.db.upsert import Upserted, upsert_many
from app.kit.errors import FieldProblem

TAKEN = "already exists"


async def add_products(rows: Sequence[ProductCreate], session: AsyncSession) -> ProductsAdded:
    """Create products and return their ids in the order of the rows."""

    async def check() -> None:
        owners = await _owners(session, rows)
        skus = set(owners.values())
        taken = [
            *wrong(rows, "sku", TAKEN, lambda row: row.sku in skus),
            *wrong(rows, "slug", TAKEN, lambda row: row.slug in owners),
        ]
        refuse(await _invalid(session, rows), taken)

    async def store() -> dict[str, Id]:
        # Insert in the order of the SKUs: requests with the same products cannot deadlock.
        ordered = sorted(rows, key=attrgetter("sku"))
        keys = await insert_returning(session, Product, (row.model_dump() for row in ordered))
        return {row.sku: key for row, key in zip(ordered, keys, strict=True)}

    stored = await checked(session, check, store)
    return ProductsAdded(ids=[stored[row.sku] for row in rows])


async def put_products(rows: Sequence[ProductIn], session: AsyncSession) -> Upserted:
    """Create products, or update those with the same SKU. An update keeps the stock."""

    async def check() -> None:
        owners = await _owners(session, rows)
        taken = wrong(rows, "slug", TAKEN, lambda row: owners.get(row.slug, row.sku) != row.sku)
        refuse(await _invalid(session, rows), list(taken))

    async def store() -> Upserted:
        return await upsert_many(session, Product, (row.model_dump() for row in rows), by=["sku"])

    return await checked(session, check, store)


async def _owners(session: AsyncSession, rows: Sequence[ProductIn]) -> dict[str, str]:
    """Map slug to SKU for the stored products that have the slug or SKU of a row."""
    statement = select(Product.slug, Product.sku).where(
        or_(
            among(Product.sku, [row.sku for row in rows]),
            among(Product.slug, [row.slug for row in rows]),
        )
    )
    return dict((await session.execute(statement)).all())


async def _invalid(session: AsyncSession, rows: Sequence[ProductIn]) -> list[FieldProblem]:
    wanted = {row.category_id for row in rows}
    known = set(await session.scalars(select(Category.id).where(among(Category.id, wanted))))
    return [
        *wrong(
            rows,
            "category_id",
            "category not found",
            lambda row: row.category_id not in known,
        ),
        *repeated(rows, "sku"),
        *repeated(rows, "slug"),
    ]
