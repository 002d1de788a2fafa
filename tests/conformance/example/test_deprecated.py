"""Deprecated names of the kit work until a release removes them, and warn."""

# pyright: reportDeprecated=false

from collections.abc import Sequence

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from app.example.catalog.models import Product
from app.kit.db.ids import Id
from app.kit.db.session import Database
from app.kit.queries.keyset import keyset_page
from app.kit.queries.pagination import CursorQuery
from app.kit.queries.sorting import order_by
from app.kit.writes.batches import Batch, delete_batch, in_batches, update_batch
from app.kit.writes.bulk import insert_many
from tests.example.catalog_factories import count_products, product_rows
from tests.support.rolled_back_database import RolledBackDatabase


async def restock(session: AsyncSession, after: Id | None) -> Sequence[Id]:
    # Rows still match after the first update, but not after the second.
    low, more = Product.stock.between(1, 2), {"stock": Product.stock + 1}
    return await update_batch(session, Product, low, values=more, after=after, size=2)


async def delete_in_stock(session: AsyncSession, after: Id | None) -> Sequence[Id]:
    return await delete_batch(session, Product, Product.stock > 0, after=after, size=2)


async def test_deprecated_batches_reach_every_row(
    database: Database, connection: AsyncConnection, session: AsyncSession
) -> None:
    await insert_many(session, Product, await product_rows(session, 5, stock=1))
    await insert_many(session, Product, await product_rows(session, 1, stock=0))
    await session.commit()
    batches: list[Batch] = [restock, delete_in_stock]

    for batch in batches:
        with pytest.deprecated_call(match="in_batches.*; it is removed in"):
            assert await in_batches(RolledBackDatabase.of(database, connection), batch) == 5

    assert await count_products(session) == 1


async def test_deprecated_keyset_page_returns_entities(session: AsyncSession) -> None:
    await insert_many(session, Product, await product_rows(session, 3))
    products, by_id, read = select(Product), order_by(Product.id), list[Id]()
    cursor: str | None = None

    for _ in range(2):
        with pytest.deprecated_call(match=r"use View\.feed; it is removed in"):
            page = await keyset_page(session, CursorQuery(limit=2, cursor=cursor), products, by_id)
        read += [product.id for product in page.items]
        cursor = page.next

    assert read == [*await session.scalars(select(Product.id).order_by(Product.id))]
