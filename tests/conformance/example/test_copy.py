"""Bulk loads with COPY."""

import traceback
from enum import Enum
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, PendingRollbackError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from app.example.catalog.models import Category, Product, ProductStatus
from app.example.tags.models import Tag
from app.example.tags.schemas import TagCreate, TagImport
from app.kit.db.session import Database
from app.kit.errors.database_errors import problem_from_db_error
from app.kit.errors.problems import Unavailable
from app.kit.writes.bulk import insert_many
from app.kit.writes.copy import copy_returning, copy_rows
from tests.example.catalog_factories import count_products, product_rows
from tests.support.statements import counting


async def test_copied_rows_have_ids_timestamps_and_values(
    session: AsyncSession, database: Database
) -> None:
    rows = await product_rows(session, 3, status=ProductStatus.ACTIVE)
    with counting(database.engine) as statements:
        assert await copy_rows(session, Product, iter(rows)) == 3
    # COPY sends no INSERT statement.
    assert [sql for sql in statements if "INSERT" in sql] == []
    products = (await session.scalars(select(Product).order_by(Product.sku))).all()
    assert [product.sku for product in products] == [row["sku"] for row in rows]
    assert len({product.id for product in products}) == 3
    assert products[0].status is ProductStatus.ACTIVE
    assert products[0].version == 1
    # PostgreSQL sets the timestamps, once per transaction.
    now = await session.scalar(select(func.now()))
    assert {product.created_at for product in products} == {now}
    assert {product.updated_at for product in products} == {now}


async def test_copy_returns_keys_of_pydantic_models_in_order(
    session: AsyncSession, database: Database
) -> None:
    rows = [TagCreate(name=name) for name in ("b", "c", "a")]
    with counting(database.engine) as statements:
        keys = await copy_returning(session, Tag, iter(rows))
    assert [sql for sql in statements if "INSERT" in sql] == []
    names = dict((await session.execute(select(Tag.id, Tag.name))).all())
    assert [names[key] for key in keys] == ["b", "c", "a"]
    # The sequence of a numeric key continues after the copied rows.
    assert await insert_many(session, Tag, [{"name": "d"}]) == 1
    assert await copy_returning(session, Tag, []) == []
    with pytest.raises(TypeError, match="same keys"):
        await copy_rows(session, Tag, [rows[0], TagImport.model_construct(names=[])])


async def test_copy_rolls_back_with_its_transaction(own_app: FastAPI) -> None:
    database: Database = own_app.state.database
    async with database.sessions() as session:
        assert await copy_rows(session, Category, [{"name": "Tea", "slug": "tea"}]) == 1
        await session.rollback()
    async with database.sessions() as session:
        assert await session.scalar(select(func.count()).select_from(Category)) == 0


async def test_connection_lost_during_copy_makes_the_commit_fail(own_app: FastAPI) -> None:
    database: Database = own_app.state.database
    function = "CREATE FUNCTION kit_end() RETURNS trigger LANGUAGE plpgsql AS"
    body = "BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END"
    trigger = "CREATE TRIGGER kit_end BEFORE INSERT ON categories EXECUTE FUNCTION kit_end()"
    async with database.transaction() as session:
        await session.execute(text(f"{function} '{body}'"))
        await session.execute(text(trigger))
    async with database.sessions() as session:
        await insert_many(session, Tag, [{"name": "lost"}])
        with pytest.raises(DBAPIError) as caught:
            await copy_rows(session, Category, [{"name": "Tea", "slug": "tea"}])
        assert isinstance(problem_from_db_error(caught.value), Unavailable)
        with pytest.raises(PendingRollbackError):
            await session.commit()


async def test_copy_error_is_translated_like_an_insert_error(session: AsyncSession) -> None:
    rows = await product_rows(session, 2)
    rows[1]["sku"] = rows[0]["sku"]
    with pytest.raises(IntegrityError) as copied:
        async with session.begin_nested():
            await copy_rows(session, Product, rows)
    with pytest.raises(IntegrityError) as inserted:
        async with session.begin_nested():
            await insert_many(session, Product, rows)
    assert rows[0]["sku"] not in "".join(traceback.format_exception(copied.value))
    assert repr(problem_from_db_error(copied.value)) == repr(problem_from_db_error(inserted.value))
    assert await count_products(session) == 0


async def test_copy_applies_column_types(session: AsyncSession) -> None:
    class Colour(Enum):
        RED = 1

    class OtherBase(DeclarativeBase):
        pass

    class Thing(OtherBase):
        __tablename__ = "things"

        id: Mapped[int] = mapped_column(primary_key=True)
        colour: Mapped[Colour]

    await session.execute(text("CREATE TEMPORARY TABLE things (id integer, colour text)"))
    thing: Any = Thing
    await copy_rows(session, thing, [{"id": 1, "colour": Colour.RED}])
    assert await session.scalar(text("SELECT colour FROM things")) == "RED"
