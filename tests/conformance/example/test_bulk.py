"""Bulk inserts, upserts, updates and deletes."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.exc import StaleDataError

from app.example.catalog.models import Category, Product, ProductStatus
from app.example.catalog.repository import ProductRepository
from app.example.posts.models import Post
from app.kit.db.base import any_of, utc_now
from app.kit.db.session import Database
from app.kit.writes.bulk import (
    delete_in_batches,
    delete_many,
    insert_many,
    insert_returning,
    update_in_batches,
    update_many,
    update_where,
)
from app.kit.writes.copy import copy_rows
from app.kit.writes.upsert import UpsertResult, upsert_many
from tests.example.catalog_factories import (
    count_products,
    make_category,
    make_product,
    product_payload,
    product_rows,
)
from tests.example.factories import make_user
from tests.support.statements import counting

# Exceeds the maximum number of parameters of one statement.
MANY = 40_000

# ------------------------------------------------------------------ insert


async def test_insert_many_reads_iterator_in_chunks(
    session: AsyncSession, database: Database
) -> None:
    rows = await product_rows(session, 25)
    sent_before: list[int] = []

    def read_rows() -> Iterator[dict[str, Any]]:
        for row in rows:
            sent_before.append(len(statements))
            yield row

    with counting(database.engine) as statements:
        assert await insert_many(session, Product, read_rows(), chunk=10) == 25
    assert sent_before == [0] * 10 + [1] * 10 + [2] * 5
    assert await count_products(session) == 25


async def test_inserted_row_has_column_defaults(session: AsyncSession) -> None:
    await insert_many(session, Product, await product_rows(session, 1))
    product = (await session.scalars(select(Product))).one()
    assert (product.status, product.version) == (ProductStatus.DRAFT, 1)
    assert product.created_at.tzinfo is not None


async def test_insert_many_mixes_values_and_nulls_in_one_statement(
    session: AsyncSession, database: Database
) -> None:
    author = await make_user(session)
    rows = [
        {"author_id": author.id, "title": "Post", "published_at": utc_now() if number % 2 else None}
        for number in range(10)
    ]
    with counting(database.engine) as statements:
        assert await insert_many(session, Post, rows) == 10
    statements.assert_count(1)


async def test_insert_returning_keeps_row_order(session: AsyncSession, database: Database) -> None:
    rows = await product_rows(session, 1000)
    with counting(database.engine) as statements:
        keys = await insert_returning(session, Product, rows)
    statements.assert_count(1)
    # Ids generated in Python need no RETURNING.
    generated_by_server = Product.__table__.c.id.default is None
    assert ("RETURNING" in statements[0]) is generated_by_server
    skus = dict((await session.execute(select(Product.id, Product.sku))).all())
    assert [skus[key] for key in keys] == [row["sku"] for row in rows]


async def test_empty_input_sends_no_statement(session: AsyncSession, database: Database) -> None:
    with counting(database.engine) as statements:
        assert await insert_many(session, Product, []) == 0
        assert await insert_returning(session, Product, iter([])) == []
        assert await upsert_many(session, Product, [], by=["sku"]) == UpsertResult(0, 0)
        assert await copy_rows(session, Product, []) == 0
    statements.assert_count(0)


async def test_update_of_unknown_column_is_an_error(session: AsyncSession) -> None:
    product = await make_product(session)
    with pytest.raises(TypeError, match="Product has no column colour, size"):
        await ProductRepository(session).update(product, {"size": 1, "name": "a", "colour": "red"})
    with pytest.raises(TypeError, match="Product has no column category"):
        await update_where(session, Product, values={"category": None})


@pytest.mark.parametrize("load", [insert_many, insert_returning, copy_rows])
async def test_unknown_or_inconsistent_column_is_an_error(session: AsyncSession, load: Any) -> None:
    rows = await product_rows(session, 2)
    with pytest.raises(TypeError, match="has no column colour"):
        await load(session, Product, [row | {"colour": "red"} for row in rows])
    with pytest.raises(TypeError, match="same keys"):
        await load(session, Product, [rows[0], rows[1] | {"version": 2}])
    await session.rollback()
    renamed = {"version" if name == "sku" else name: value for name, value in rows[1].items()}
    with pytest.raises(TypeError, match="same keys"):
        await load(session, Product, [rows[0], renamed])
    await session.rollback()


# ------------------------------------------------------------------ upsert


async def test_upsert_adds_up_counts_of_all_chunks(
    session: AsyncSession, database: Database
) -> None:
    rows = await product_rows(session, 30)
    await insert_many(session, Product, rows[:12])
    with counting(database.engine) as statements:
        counts = await upsert_many(session, Product, iter(rows), by=["sku"], chunk=10)
    assert counts == UpsertResult(inserted=18, updated=12)
    statements.assert_count(3)


async def test_upsert_requires_a_unique_index(
    session: AsyncSession,
) -> None:
    await make_category(session, name="Before", slug="tea")
    rows = [{"name": "After", "slug": "tea"}]
    assert await upsert_many(session, Category, rows, by=["slug"]) == UpsertResult(0, 1)
    assert await session.scalar(text("SELECT name FROM categories")) == "After"
    with pytest.raises(TypeError, match="no unique index on name, slug"):
        await upsert_many(session, Category, rows, by=["name", "slug"])


# ------------------------------------------------------------------ update and delete


async def test_update_and_delete_many_accept_more_ids_than_parameters(
    session: AsyncSession, database: Database
) -> None:
    rows = await product_rows(session, 1)
    many = (rows[0] | product_payload() for _ in range(MANY))
    assert await copy_rows(session, Product, many) == MANY
    keys = list(await session.scalars(select(Product.id)))
    with counting(database.engine) as statements:
        assert await update_many(session, Product, keys, {"stock": 3}) == MANY
        assert await delete_many(session, Product, keys[1:]) == MANY - 1
    statements.assert_count(2)
    (left,) = (await session.scalars(select(Product))).all()
    assert (left.id, left.stock, left.version) == (keys[0], 3, 2)


async def test_bulk_update_makes_previously_loaded_row_stale(
    session: AsyncSession, database: Database
) -> None:
    product = await make_product(session)
    bind = await session.connection()
    async with database.sessions(bind=bind, join_transaction_mode="create_savepoint") as other:
        changed = await update_where(other, Product, Product.stock == 10, values={"stock": 4})
        assert changed == 1
        await other.commit()
    product.name = "Stale"
    with pytest.raises(StaleDataError):
        await session.flush()
    await session.rollback()


async def test_session_sees_its_own_bulk_update(session: AsyncSession) -> None:
    product = await make_product(session)
    await update_many(session, Product, [product.id], {"stock": 4})
    assert product.stock == 4
    product.name = "Not stale"
    await session.flush()
    assert product.version == 3


async def test_batches_limit_each_statement_and_reach_every_row(
    session: AsyncSession, database: Database
) -> None:
    await insert_many(session, Product, await product_rows(session, 25))
    await insert_many(session, Product, await product_rows(session, 5, stock=0))
    in_stock = Product.stock > 0
    with counting(database.engine) as statements:
        changes = {"status": ProductStatus.DISCONTINUED}
        assert await update_in_batches(session, Product, in_stock, values=changes, size=10) == 25
        # Three batches with a SELECT and an UPDATE each.
        statements.assert_count(6)
        assert await delete_in_batches(session, Product, in_stock, size=10) == 25
        statements.assert_count(12)
    assert await count_products(session) == 5
    empty_filter = await session.scalars(select(Product.id).where(any_of(Product.id, [])))
    assert empty_filter.all() == []
