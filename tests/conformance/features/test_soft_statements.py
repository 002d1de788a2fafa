"""Each kind of statement either excludes soft-deleted rows, or is documented not to.

`docs/soft_delete.md` contains the same lists.
"""

from typing import Any

import pytest
from sqlalchemy import (
    Select,
    String,
    cast,
    delete,
    exists,
    func,
    insert,
    lateral,
    literal_column,
    select,
    text,
    true,
    union_all,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import (
    aliased,
    join,
    joinedload,
    outerjoin,
    selectinload,
    with_polymorphic,
)

from app.kit.db.deletion import INCLUDE_DELETED, delete_row, exclude_deleted
from app.kit.errors.problems import Conflict
from app.kit.writes.upsert import upsert_many
from tests.conformance.features.hierarchies.models import Invoice
from tests.conformance.features.ownership.models import Account, Address, Login, Region, Shop, Track

ADDRESS: Any = Address.__table__
UNSYNCHRONIZED = {"synchronize_session": False}


@pytest.fixture
async def addresses(session: AsyncSession) -> tuple[Address, Address]:
    """A soft-deleted address and one that is not deleted."""
    deleted, kept = Address(city="deleted"), Address(city="kept")
    session.add_all([deleted, kept])
    await session.flush()
    await delete_row(session, deleted)
    session.expunge_all()
    return deleted, kept


def filtered() -> dict[str, Any]:
    """Statements that return the cities of addresses."""
    other = aliased(Address)
    every: Any = with_polymorphic(Address, "*")
    cte = select(Address.city).cte()
    lateral_cities = lateral(select(Address.city.label("city")))
    cities = select(Address.city)
    smallest = select(func.min(Address.city).filter(true()).label("city"))
    windows = select(func.first_value(Address.city).over(partition_by=Address.city).label("city"))
    lateral_aggregate = lateral(smallest)
    joined = join(Track, other, Track.title == other.city)
    nested = join(Address, other, Address.id == other.id)
    return {
        "columns": cities,
        "table columns from a model": select(ADDRESS.c.city).select_from(Address),
        "aggregate": select(func.min(Address.city)),
        "window function": select(func.first_value(Address.city).over(partition_by=Address.city)),
        "FILTER": select(func.min(Address.city).filter(true())),
        "FILTER of an alias": select(func.min(other.city).filter(true())),
        "WITHIN GROUP": select(func.percentile_disc(0).within_group(Address.city)),
        "join of two models": select(Address.city).select_from(
            join(Track, other, Track.title == other.city).join(Address, Address.city == other.city)
        ),
        "nested join": select(Track.title).select_from(
            join(Track, nested, Track.title == Address.city)
        ),
        "Select.join of a join": select(Track.title).join(nested, Track.title == Address.city),
        "window function and a column": select(Address.city, func.min(Address.city).over()),
        "FILTER from a model": select(func.min(Address.city).filter(true())).select_from(Address),
        "alias": select(other.city),
        "with_polymorphic": select(every.city),
        "CTE": select(cte.c.city),
        "subquery": select(cities.subquery().c.city),
        "scalar subquery": select(select(func.min(Address.city)).scalar_subquery()),
        "union": union_all(cities, cities.where(Address.city == "none")),
        "EXISTS": cities.where(exists().where(other.id == Address.id)),
        "IN": cities.where(Address.id.in_(select(other.id))),
        "LATERAL": select(lateral_cities.c.city).select_from(other).join(lateral_cities, true()),
        "from_statement of a select": select(Address.city).from_statement(cities),
        "CTE of a window function": select(windows.cte().c.city),
        "subquery of FILTER": select(smallest.subquery().c.city),
        "subquery of WITHIN GROUP": select(
            select(func.percentile_disc(0).within_group(Address.city).label("city"))
            .subquery()
            .c.city
        ),
        "scalar subquery of FILTER": select(smallest.scalar_subquery()),
        "union of window functions": union_all(windows, windows.where(Address.city == "none")),
        "union in a subquery": select(union_all(windows, windows).subquery().c.city).distinct(),
        "IN of FILTER": cities.where(Address.city.in_(smallest)),
        "EXISTS of a window function": cities.where(
            exists(select(func.count().over()).where(other.id == Address.id))
        ),
        "LATERAL of FILTER": select(lateral_aggregate.c.city)
        .select_from(other)
        .join(lateral_aggregate, true()),
        "subquery of a subquery": select(select(windows.subquery().c.city).subquery().c.city),
        "subquery of a join of two models": select(
            select(other.city).select_from(joined).subquery().c.city
        ),
        "UPDATE with RETURNING": update(Address).values(city=Address.city).returning(Address.city),
    }


def unfiltered() -> dict[str, Any]:
    """Statements on tables instead of models."""
    return {
        "table": select(ADDRESS.c.city),
        "text": text("SELECT city FROM conformance_addresses"),
        "from_statement of a text": select(Address.city).from_statement(
            text("SELECT city FROM conformance_addresses")
        ),
        "table name": select(literal_column("city")).select_from(text("conformance_addresses")),
    }


@pytest.mark.parametrize("kind", filtered())
async def test_statement_excludes_deleted_rows(
    addresses: tuple[Address, Address], session: AsyncSession, kind: str
) -> None:
    session.add_all([Track(title="deleted"), Track(title="kept")])
    statement = filtered()[kind]
    assert (await session.scalars(statement)).all() == ["kept"]
    every = await session.scalars(statement, execution_options=INCLUDE_DELETED)
    assert "deleted" in every


async def test_compiled_statement_excludes_deleted_rows(
    addresses: tuple[Address, Address], session: AsyncSession
) -> None:
    connection = await session.connection()
    for statement in filtered().values():
        if isinstance(statement, Select):
            assert "deleted_at IS NULL" in str(
                exclude_deleted(statement).compile(dialect=connection.dialect)
            )


@pytest.mark.parametrize("kind", unfiltered())
async def test_statement_without_model_reads_every_row(
    addresses: tuple[Address, Address], session: AsyncSession, kind: str
) -> None:
    assert sorted((await session.scalars(unfiltered()[kind])).all()) == ["deleted", "kept"]


async def test_streamed_objects_exclude_deleted_rows(
    addresses: tuple[Address, Address], session: AsyncSession
) -> None:
    _, kept = addresses
    stream = await session.stream_scalars(select(Address))
    assert [each.id async for each in stream] == [kept.id]


async def test_insert_from_select_excludes_deleted_rows(
    addresses: tuple[Address, Address], session: AsyncSession
) -> None:
    cities = select(Address.id, Address.city)
    await session.execute(insert(Track).from_select(["id", "title"], cities))
    assert (await session.scalars(select(Track.title))).all() == ["kept"]


async def test_update_with_subquery_excludes_deleted_rows(
    addresses: tuple[Address, Address], session: AsyncSession
) -> None:
    session.add_all([Track(title="deleted"), Track(title="kept")])
    await session.flush()
    named = update(Track).where(Track.title.in_(select(Address.city))).values(title="named")
    result: Any = await session.execute(named)
    assert result.rowcount == 1


@pytest.mark.parametrize("change", [update(Track).values(title="new"), delete(Track)])
async def test_update_from_and_delete_using_exclude_deleted_rows(
    addresses: tuple[Address, Address], session: AsyncSession, change: Any
) -> None:
    other = aliased(Address)
    session.add_all([Track(title="deleted"), Track(title="kept")])
    await session.flush()
    matched = change.where(Track.title == Address.city, other.city == Address.city)
    result: Any = await session.execute(matched, execution_options=UNSYNCHRONIZED)
    assert result.rowcount == 1


async def test_update_from_joined_subclass_is_rejected(session: AsyncSession) -> None:
    change = update(Track).where(Track.title == Invoice.title).values(title="new")
    with pytest.raises(TypeError, match="several tables"):
        await session.execute(change, execution_options=UNSYNCHRONIZED)


async def test_unfiltered_outer_join_is_rejected(session: AsyncSession) -> None:
    other = aliased(Address)
    joined = outerjoin(Track, Address, Track.title == Address.city)
    with pytest.raises(TypeError, match="outer join with"):
        await session.execute(select(Track.title).select_from(joined))
    nested = outerjoin(Track, join(Address, other, true()), Track.title == Address.city)
    with pytest.raises(TypeError, match="outer join with"):
        await session.execute(select(Track.title).select_from(nested))
    within = select(select(Track.title).select_from(joined).subquery().c.title)
    with pytest.raises(TypeError, match="outer join with"):
        await session.execute(within)
    assert (await session.scalars(within, execution_options=INCLUDE_DELETED)).all() == []
    assert (await (await session.connection()).execute(within)).all() == []


async def test_bulk_update_by_primary_key_updates_deleted_rows(
    addresses: tuple[Address, Address], session: AsyncSession
) -> None:
    deleted, _ = addresses
    await session.execute(update(Address), [{"id": deleted.id, "city": "new"}])
    changed = select(Address.city).where(Address.id == deleted.id)
    assert await session.scalar(changed, execution_options=INCLUDE_DELETED) == "new"


async def test_merge_does_not_find_a_deleted_row(
    addresses: tuple[Address, Address], session: AsyncSession
) -> None:
    deleted, _ = addresses
    await session.merge(Address(id=deleted.id, city="merged"))
    with pytest.raises(IntegrityError):
        await session.flush()


async def test_get_and_refresh_of_a_deleted_object(
    addresses: tuple[Address, Address], session: AsyncSession
) -> None:
    deleted, _ = addresses
    assert await session.get(Address, deleted.id) is None
    loaded = await session.get(Address, deleted.id, execution_options=INCLUDE_DELETED)
    assert loaded is not None
    assert await session.get(Address, deleted.id) is None
    assert (
        await session.get(Address, deleted.id, execution_options={"include_deleted": False}) is None
    )
    await session.refresh(loaded)
    assert loaded.city == "deleted"


async def test_relationship_excludes_deleted_rows(session: AsyncSession) -> None:
    deleted, kept = Shop(), Shop()
    region = Region(tenant=1, code="n", shops=[deleted, kept])
    session.add(region)
    await session.flush()
    await delete_row(session, deleted)
    for load in (joinedload, selectinload):
        session.expunge_all()
        read = await session.get_one(Region, region.id, options=[load(Region.shops)])
        assert [shop.id for shop in read.shops] == [kept.id]
    session.expunge_all()
    read = await session.get_one(Region, region.id)
    await session.refresh(read, ["shops"])
    assert [shop.id for shop in read.shops] == [kept.id]
    joined = select(func.count()).select_from(Region).join(Region.shops)
    assert await session.scalar(joined) == 1
    having = select(Region.id).where(Region.shops.any(Shop.id == deleted.id))
    assert await session.scalar(having) is None
    shops = await session.run_sync(lambda _: load_shops(read))
    assert [shop.id for shop in shops] == [kept.id]


def load_shops(region: Region) -> list[Shop]:
    """Load the shops of a region as `awaitable_attrs` does."""
    loaded: list[Shop] = region.shops
    return loaded


async def test_upsert_of_a_deleted_row_is_a_conflict(session: AsyncSession) -> None:
    track = Track(title="Blue")
    session.add(track)
    await session.flush()
    row = {"id": track.id, "title": "Red"}
    assert await upsert_many(session, Track, [row], by=["id"]) == (0, 1)
    await delete_row(session, track)

    with pytest.raises(Conflict, match="id already exists"):
        await upsert_many(session, Track, [row], by=["id"])


async def test_reference_to_a_deleted_row_is_none(session: AsyncSession) -> None:
    login = Login(account=(account := Account(name="ada")))
    session.add(login)
    await session.flush()
    await session.execute(update(Account).values(deleted_at=func.now()))
    session.expunge_all()
    read = await session.get_one(Login, login.id, options=[joinedload(Login.account)])
    assert read.account is None
    assert await session.scalar(select(cast(Login.account_name, String))) == "ada"
    assert account.id
