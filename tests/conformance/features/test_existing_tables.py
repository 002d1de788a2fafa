"""Read and write tables as an existing database has them."""

from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import BitString
from sqlalchemy.ext.asyncio import AsyncSession

from app.kit.errors.problems import Invalid
from app.kit.http.schemas import RequestModel, ResponseModel
from app.kit.queries.pagination import CursorQuery
from app.kit.queries.sorting import order_by
from app.kit.queries.view import View
from app.kit.writes.bulk import insert_many, insert_returning
from app.kit.writes.copy import copy_returning, copy_rows
from app.kit.writes.request_checks import check_references
from app.kit.writes.transactions import savepoint
from app.kit.writes.upsert import upsert_many
from tests.conformance.features.existing_tables.models import Shelf, SignedDesk, StockItem


class StockItemIn(RequestModel):
    sku: str
    price: Decimal


class ShelvesIn(RequestModel):
    first: str | None
    others: list[str]


class StockItemOut(StockItemIn):
    """A response schema that rejects unknown fields, like the schema of requests."""


class ShelfOut(ResponseModel):
    code: str
    items: list[StockItemOut]


STOCK_ITEMS = View(StockItemOut, StockItem)


@pytest.mark.parametrize("field", ["codes", "flags"])
async def test_too_long_value_is_rejected_and_never_cut_off(
    session: AsyncSession, field: str
) -> None:
    fitting: dict[str, Any] = {"codes": ["abc", None], "flags": BitString("0101")}
    too_long: dict[str, Any] = {"codes": ["ab", "abcd"], "flags": BitString("01011")}
    row = {"sku": "a", "price": 1, field: too_long[field]}

    with pytest.raises(Invalid):
        async with savepoint(session):
            await insert_many(session, StockItem, [row])
    with pytest.raises(Invalid):
        async with savepoint(session):
            await STOCK_ITEMS.insert(session, row)
    await STOCK_ITEMS.insert(session, row | {field: fitting[field]})

    column = getattr(StockItem, field)
    assert await session.scalar(select(column).where(column == fitting[field])) == fitting[field]


async def test_copy_sets_values_of_a_sequence(session: AsyncSession) -> None:
    await copy_rows(session, StockItem, [{"sku": each, "price": Decimal(1)} for each in "ab"])
    await insert_many(session, StockItem, [{"sku": "c", "price": Decimal(1)}])

    first, *others = await session.scalars(select(StockItem.number).order_by(StockItem.number))
    assert others == [first + 1, first + 2]


async def test_copy_of_rows_without_values_is_rejected(session: AsyncSession) -> None:
    with pytest.raises(TypeError, match="value of at least one column of SignedDesk"):
        await copy_rows(session, SignedDesk, [{}])


async def test_primary_keys_of_a_sequence_are_returned(session: AsyncSession) -> None:
    rows = [{"name": "a"}, {"name": "b"}]
    keys = [
        *await insert_returning(session, SignedDesk, rows),
        *await copy_returning(session, SignedDesk, rows),
    ]

    assert list(await session.scalars(select(SignedDesk.id).order_by(SignedDesk.id))) == keys


async def test_upsert_of_rows_with_only_their_keys(session: AsyncSession) -> None:
    assert await upsert_many(session, Shelf, [{"code": "a"}], by=["code"]) == (1, 0)
    assert await upsert_many(session, Shelf, [{"code": "a"}, {"code": "b"}], by=["code"]) == (1, 1)


async def test_view_applies_schema_translate_map(session: AsyncSession) -> None:
    class Code(ResponseModel):
        code: str

    await session.execute(text("CREATE SCHEMA other_shelves"))
    table = Shelf.__tablename__
    await session.execute(text(f"CREATE TABLE other_shelves.{table} (LIKE {table})"))
    await insert_many(session, Shelf, [{"code": "a"}])
    statement = select(Shelf).execution_options(schema_translate_map={None: "other_shelves"})
    assert await View(Code, Shelf).list(session, statement) == []
    assert len(await View(Code, Shelf).list(session, select(Shelf))) == 1


async def test_domain_is_read_in_a_relationship(session: AsyncSession) -> None:
    await insert_many(session, Shelf, [{"code": "a"}])
    price = Decimal("12345678901234567890.5")
    await insert_many(session, StockItem, [{"sku": "a", "price": price, "shelf_code": "a"}])

    [shelf] = await View(ShelfOut, Shelf).list(session, select(Shelf).limit(1))
    assert [each.price for each in shelf.items] == [price]


async def test_cursor_page_of_a_schema_that_rejects_unknown_fields(session: AsyncSession) -> None:
    await insert_many(session, StockItem, [{"sku": each, "price": 1} for each in "ab"])
    order = order_by(StockItem.number.asc(), tiebreaker=StockItem.sku)

    page = await STOCK_ITEMS.feed(session, CursorQuery(limit=1), STOCK_ITEMS.select(), order)

    assert [each.sku for each in page.items] == ["a"]
    assert page.next is not None


async def test_references_to_a_natural_key_are_checked(session: AsyncSession) -> None:
    await insert_many(session, Shelf, [{"code": "a"}])
    models: Any = {"first": Shelf, "others": Shelf}
    await check_references(session, ShelvesIn(first="a", others=["a"]), models)
    await check_references(session, ShelvesIn(first=None, others=[]), models)

    with pytest.raises(Invalid) as invalid:
        await check_references(session, ShelvesIn(first="a", others=["a", "c", "b"]), models)

    assert [(each.field, each.message) for each in invalid.value.errors] == [
        ("body.others", "does not exist: b, c")
    ]
