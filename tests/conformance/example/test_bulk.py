"""Many rows in few statements: the functions below the endpoints."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.exc import StaleDataError

from app.example.catalog.models import Category, Product, ProductStatus
from app.example.posts.models import Post
from app.kit.db.base import now
from app.kit.db.batches import delete_in_batches, update_in_batches
from app.kit.db.bulk import (
    among,
    delete_many,
    insert_many,
    insert_returning,
    update_many,
    update_where,
)
from app.kit.db.copy import copy_rows
from app.kit.db.session import Database
from app.kit.db.upsert import Upserted, upsert_many
from tests.example.catalog_factories import (
    described,
    make_category,
    make_product,
    product_rows,
    stored_products,
)
from tests.example.factories import make_user
from tests.rig.statements import counting

# More keys than one statement can have parameters.
VERY_MANY = 40_000

# ------------------------------------------------------------------ insert


async def test_rows_are_inserted_from_an_iterator_a_chunk_at_a_time(
    session: AsyncSession, database: Database
) -> None:
    rows = await product_rows(session, 25)
    sent_before: list[int] = []

    def reading() -> Iterator[dict[str, Any]]:
        for row in rows:
            sent_before.append(len(statements))
            yield row

    with counting(database.engine) as statements:
        assert await insert_many(session, Product, reading(), chunk=10) == 25
    assert sent_before == [0] * 10 + [1] * 10 + [2] * 5
    assert await stored_products(session) == 25


async def test_an_inserted_row_has_its_defaults(session: AsyncSession) -> None:
    await insert_many(session, Product, await product_rows(session, 1))
    product = (await session.scalars(select(Product))).one()
    assert (product.status, product.version) == (ProductStatus.DRAFT, 1)
    assert product.created_at.tzinfo is not None


async def test_rows_with_and_without_a_value_go_together(
    session: AsyncSession, database: Database
) -> None:
    author = await make_user(session)
    rows = [
        {"author_id": author.id, "title": "Post", "published_at": now() if number % 2 else None}
        for number in range(10)
    ]
    with counting(database.engine) as statements:
        assert await insert_many(session, Post, rows) == 10
    statements.assert_count(1)


async def test_keys_are_returned_in_the_order_of_the_rows(
    session: AsyncSession, database: Database
) -> None:
    rows = await product_rows(session, 1000)
    with counting(database.engine) as statements:
        keys = await insert_returning(session, Product, rows)
    statements.assert_count(1)
    # Keys that are made here are not sent back.
    asked_for = Product.__table__.c.id.default is None
    assert ("RETURNING" in statements[0]) is asked_for
    skus = dict((await session.execute(select(Product.id, Product.sku))).all())
    assert [skus[key] for key in keys] == [row["sku"] for row in rows]


async def test_nothing_to_do_sends_nothing(session: AsyncSession, database: Database) -> None:
    with counting(database.engine) as statements:
        assert await insert_many(session, Product, []) == 0
        assert await insert_returning(session, Product, iter([])) == []
        assert await upsert_many(session, Product, [], by=["sku"]) == Upserted(0, 0)
        assert await copy_rows(session, Product, []) == 0
    statements.assert_count(0)


@pytest.mark.parametrize("load", [insert_many, insert_returning, copy_rows])
async def test_a_column_that_does_not_exist_or_comes_late_is_an_error(
    session: AsyncSession, load: Any
) -> None:
    rows = await product_rows(session, 2)
    with pytest.raises(TypeError, match="has no column colour"):
        await load(session, Product, [row | {"colour": "red"} for row in rows])
    with pytest.raises(TypeError, match="same columns"):
        await load(session, Product, [rows[0], rows[1] | {"version": 2}])
    await session.rollback()


# ------------------------------------------------------------------ upsert


async def test_an_upsert_counts_across_its_chunks(
    session: AsyncSession, database: Database
) -> None:
    rows = await product_rows(session, 30)
    await insert_many(session, Product, rows[:12])
    with counting(database.engine) as statements:
        done = await upsert_many(session, Product, iter(rows), by=["sku"], chunk=10)
    assert done == Upserted(inserted=18, updated=12)
    statements.assert_count(3)


async def test_an_upsert_goes_by_any_unique_columns_and_by_no_others(
    session: AsyncSession,
) -> None:
    await make_category(session, name="Before", slug="tea")
    rows = [{"name": "After", "slug": "tea"}]
    assert await upsert_many(session, Category, rows, by=["slug"]) == Upserted(0, 1)
    assert await session.scalar(text("SELECT name FROM categories")) == "After"
    with pytest.raises(TypeError, match="no unique index on name, slug"):
        await upsert_many(session, Category, rows, by=["name", "slug"])


# ------------------------------------------------------------------ update and delete


async def test_rows_are_updated_and_deleted_by_more_keys_than_there_can_be_parameters(
    session: AsyncSession, database: Database
) -> None:
    rows = await product_rows(session, 1)
    many = (rows[0] | described() for _ in range(VERY_MANY))
    assert await copy_rows(session, Product, many) == VERY_MANY
    keys = list(await session.scalars(select(Product.id)))
    with counting(database.engine) as statements:
        assert await update_many(session, Product, keys, {"stock": 3}) == VERY_MANY
        assert await delete_many(session, Product, keys[1:]) == VERY_MANY - 1
    statements.assert_count(2)
    (left,) = (await session.scalars(select(Product))).all()
    assert (left.id, left.stock, left.version) == (keys[0], 3, 2)


async def test_an_update_of_many_is_noticed_by_who_read_a_row_before(
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


async def test_a_session_sees_its_own_updates_of_many(session: AsyncSession) -> None:
    product = await make_product(session)
    await update_many(session, Product, [product.id], {"stock": 4})
    assert product.stock == 4
    product.name = "Not stale"
    await session.flush()
    assert product.version == 3


async def test_batches_bound_each_statement_and_reach_every_row(
    session: AsyncSession, database: Database
) -> None:
    await insert_many(session, Product, await product_rows(session, 25))
    await insert_many(session, Product, await product_rows(session, 5, stock=0))
    some = Product.stock > 0
    with counting(database.engine) as statements:
        changes = {"status": ProductStatus.DISCONTINUED}
        assert await update_in_batches(session, Product, some, values=changes, size=10) == 25
        # Three times the keys and the change, then no more keys.
        statements.assert_count(7)
        assert await delete_in_batches(session, Product, some, size=10) == 25
        statements.assert_count(14)
    assert await stored_products(session) == 5
    among_none = await session.scalars(select(Product.id).where(among(Product.id, [])))
    assert among_none.all() == []
