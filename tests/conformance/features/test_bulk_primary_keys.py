"""Bulk functions on any primary key: natural, composite, renamed and inherited."""

from asyncio import gather
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from weakref import WeakSet

import pytest
from fastapi import FastAPI
from pydantic import BaseModel
from sqlalchemy import Index, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

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
from app.kit.writes.copy import copy_returning, copy_rows
from app.kit.writes.upsert import upsert_many
from tests.conformance.features.existing_tables.models import (
    Drill,
    Lane,
    Shelf,
    Slot,
    Tool,
    Voucher,
)
from tests.conformance.features.unusual_mappings.models import Tile, Zone
from tests.support.statements import counting

Insert = Callable[[AsyncSession, Any, Any], Awaitable[list[Any]]]
every_insert = pytest.mark.parametrize("insert", [insert_returning, copy_returning])


class SlotIn(BaseModel):
    aisle: str
    label: str


@every_insert
async def test_keys_of_rows_are_returned(session: AsyncSession, insert: Insert) -> None:
    codes = ["b", "a", "c"]
    assert await insert(session, Shelf, ({"code": code} for code in codes)) == codes

    tiles = [(Zone.SOUTH, 2), (Zone.NORTH, 1)]
    rows = [{"zone": zone, "number": number} for zone, number in tiles]
    assert await insert(session, Tile, rows) == tiles
    assert set((await session.execute(select(Tile.zone, Tile.number))).all()) == set(tiles)


@every_insert
async def test_generated_parts_of_composite_keys_are_returned(
    session: AsyncSession, insert: Insert
) -> None:
    keys = await insert(session, Slot, [SlotIn(aisle="a", label=label) for label in "xyz"])

    columns = select(Slot.label, Slot.aisle, Slot.number, Slot.batch).order_by(Slot.label)
    stored = (await session.execute(columns)).all()
    assert [(label, tuple(key)) for label, *key in stored] == list(zip("xyz", keys, strict=True))


@every_insert
async def test_keys_of_a_server_default_are_returned(session: AsyncSession, insert: Insert) -> None:
    keys = await insert(session, Voucher, [{"name": name} for name in "bac"])

    names = dict((await session.execute(select(Voucher.code, Voucher.name))).all())
    assert [names[key] for key in keys] == ["b", "a", "c"]


async def test_rows_are_updated_and_deleted_by_composite_keys(session: AsyncSession) -> None:
    keys = await insert_returning(session, Slot, [{"aisle": aisle} for aisle in "abc"])

    assert await update_many(session, Slot, keys[:2], {"label": "new"}) == 2
    assert await update_many(session, Slot, [], {"label": "none"}) == 0
    assert await delete_many(session, Slot, keys[1:]) == 2
    assert await delete_many(session, Slot, [("a", 0, keys[0][2])]) == 0
    assert (await session.execute(select(Slot.aisle, Slot.label))).all() == [("a", "new")]


async def test_batches_follow_the_order_of_composite_keys(
    session: AsyncSession, database: Database
) -> None:
    zones = list(Zone)
    rows = [{"zone": zone, "number": number} for number in range(5) for zone in zones]
    await insert_many(session, Tile, rows)

    with counting(database.engine) as statements:
        values = {"zones": zones}
        assert await update_in_batches(session, Tile, values=values, size=3) == 10
        assert await delete_in_batches(session, Tile, Tile.number > 0, size=3) == 8
    # Four batches and three batches, with two statements each.
    statements.assert_count(14)
    left = (await session.execute(select(Tile.zone, Tile.number, Tile.zones))).all()
    assert {(zone, number) for zone, number, _ in left} == {(zone, 0) for zone in zones}
    assert all(each == zones for _, _, each in left)


async def test_concurrent_batches_reach_every_row(own_app: FastAPI) -> None:
    database: Database = own_app.state.database
    async with database.transaction() as session:
        await insert_many(session, Shelf, ({"code": str(number)} for number in range(200)))

    deleted = await gather(*(delete_in_batches(database, Shelf, size=7) for _ in range(3)))

    assert sum(deleted) == 200
    async with database.reading() as session:
        assert await session.scalar(select(func.count()).select_from(Shelf)) == 0


async def test_rows_with_two_tables_need_no_key_named_id(session: AsyncSession) -> None:
    rows = [{"name": name, "watts": watts} for watts, name in enumerate("abcd")]
    keys = await insert_returning(session, Drill, rows)
    other = await insert_returning(session, Tool, [{"name": "saw"}])

    assert await update_many(session, Drill, [*keys[:2], *other], {"name": "x", "watts": 9}) == 2
    assert await delete_many(session, Drill, [keys[0], *other]) == 1
    assert await delete_in_batches(session, Drill, Drill.watts < 3, size=1) == 1
    found = await session.execute(
        select(Drill.number, Drill.name, Drill.watts).order_by(Drill.name)
    )
    assert found.all() == [(keys[3], "d", 3), (keys[1], "x", 9)]
    assert list(await session.scalars(select(Tool.name).order_by(Tool.name))) == ["d", "saw", "x"]


@pytest.mark.parametrize("rows", [[], [{"name": "a", "rank": 1}]])
async def test_upsert_by_a_deferrable_constraint_is_rejected(
    session: AsyncSession, database: Database, rows: list[dict[str, Any]]
) -> None:
    with (
        counting(database.engine) as statements,
        pytest.raises(TypeError, match=r"lane_ranks is deferrable. Remove `deferrable`"),
    ):
        await upsert_many(session, Lane, rows, by=["rank"])
    statements.assert_count(0)
    assert await upsert_many(session, Lane, rows, by=["name"]) == (len(rows), 0)


async def test_upsert_needs_a_unique_index_of_columns_and_their_values(
    session: AsyncSession,
) -> None:
    class OtherBase(DeclarativeBase):
        pass

    class Person(OtherBase):
        __tablename__ = "conformance_people"

        id: Mapped[int] = mapped_column(primary_key=True)
        email: Mapped[str]

    Index(None, func.lower(Person.email), unique=True)
    person: Any = Person
    with pytest.raises(TypeError, match="no unique index on email"):
        await upsert_many(session, person, [{"email": "a"}], by=["email"])
    with pytest.raises(TypeError, match="no value of name"):
        await upsert_many(session, Lane, [{"rank": 1}], by=["name"])


async def test_update_without_values_returns_the_number_of_rows(session: AsyncSession) -> None:
    await insert_many(session, Lane, [{"name": "a", "rank": 1}, {"name": "b", "rank": 2}])
    assert await update_where(session, Lane, Lane.rank < 3, values={}) == 2
    assert await session.scalar(select(Lane.rank).where(Lane.name == "b")) == 2


class Row(dict[str, Any]):
    """A row that a `WeakSet` can contain."""

    __hash__ = object.__hash__  # type: ignore[assignment]  # a dict has none


@pytest.mark.parametrize(
    "load", [insert_many, insert_returning, copy_rows, copy_returning, upsert_many]
)
async def test_few_rows_of_a_generator_are_in_memory(session: AsyncSession, load: Any) -> None:
    alive, most, count = WeakSet[Row](), 0, 25_000

    def read_rows() -> Iterator[Row]:
        nonlocal most
        for number in range(count):
            row = Row(code=str(number))
            alive.add(row)
            most = max(most, len(alive))
            yield row

    options = {"by": ["code"]} if load is upsert_many else {}
    await load(session, Shelf, read_rows(), **options)

    # `copy_returning` reads 10,000 rows at a time.
    assert most <= count - 5000
