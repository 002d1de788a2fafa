"""Attributes whose names differ from their columns, JSON documents and computed columns."""

from typing import Any

import pytest
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from app.kit.db.session import Database
from app.kit.errors.database_errors import problem_from_db_error
from app.kit.http.schemas import PatchModel, ResponseModel
from app.kit.queries.pagination import CursorQuery, PageQuery
from app.kit.queries.repository import Repository, load_options
from app.kit.queries.sorting import order_by
from app.kit.queries.view import View
from app.kit.writes.bulk import Row, insert_many, insert_returning, update_many, update_where
from app.kit.writes.copy import copy_rows
from app.kit.writes.upsert import upsert_many
from tests.conformance.features.renamed_attributes.models import Crate, Parcel, Size, Stamp
from tests.conformance.support.keyset import read_keyset_page

WITH_STAMPS = load_options(joinedload(Parcel.stamps))


class ParcelChanges(PatchModel):
    meta: Size | None = None
    size: Size | None = None
    sizes: list[Size] | None = None
    weight: int = 1


class StampOut(ResponseModel):
    number: int
    text: str


class ParcelOut(ResponseModel):
    code: str
    meta: Size | None
    size: Size | None
    sizes: list[Size] | None
    weight: int
    kilos: int
    edits: int
    revision: int
    stamps: list[StampOut]


class CrateIn(BaseModel):
    code: str
    meta: Size | None = None


class CrateOut(ResponseModel):
    code: str
    meta: Size | None
    weight: int
    kilos: int
    tons: int


class Parcels(Repository[Parcel]):
    model = Parcel


class Stamps(Repository[Stamp]):
    model = Stamp


SIZE = Size(width=1, height=2)
AS_JSON = {"width": 1, "height": 2}


async def parcels(session: AsyncSession, count: int = 3) -> list[Parcel]:
    """Store parcels with two stamps each."""
    rows = [
        Parcel(
            code=f"p{number}",
            weight=1000 * (number + 1),
            stamps=[Stamp(number=10 * number + i, text=f"s{i}") for i in (1, 2)],
        )
        for number in range(count)
    ]
    session.add_all(rows)
    await session.flush()
    return rows


async def test_patch_stores_models_as_json_and_returns_computed_columns(
    session: AsyncSession,
) -> None:
    (parcel,) = await parcels(session, 1)
    repository = Parcels(session)
    sent = ParcelChanges(meta=SIZE, size=SIZE, sizes=[SIZE], weight=5000).sent()
    changed = await repository.update(parcel, sent)
    assert (changed.meta, changed.size, changed.sizes) == (AS_JSON, AS_JSON, [AS_JSON])
    assert (changed.weight, changed.kilos, changed.edits, changed.revision) == (5000, 5, 0, 2)
    assert changed.touched
    cleared = await repository.update(changed, ParcelChanges(size=None).sent())
    assert cleared.size is None


async def test_create_stores_models_as_json(session: AsyncSession) -> None:
    created = await Parcels(session).add(
        Parcel(code="a", meta=SIZE, size=SIZE, sizes=[SIZE], stamps=[])
    )
    assert created.meta == created.size == AS_JSON
    assert created.size is not None
    created.size["width"] = 3
    await session.flush()
    session.expunge_all()
    assert (await Parcels(session).get(created.id)).size == {"width": 3, "height": 2}


async def test_bulk_writes_use_attribute_names_and_store_models_as_json(
    session: AsyncSession,
) -> None:
    def row(code: str) -> dict[str, Any]:
        return {"code": code, "meta": SIZE, "sizes": [SIZE], "weight": 2000, "revision": 1}

    await insert_many(session, Parcel, [row("many")])
    await insert_returning(session, Parcel, [row("returning")])
    assert await upsert_many(session, Parcel, [row("upsert")], by=["code"]) == (1, 0)
    again = row("upsert") | {"weight": 3000}
    assert await upsert_many(session, Parcel, [again], by=["code"]) == (0, 1)
    await copy_rows(session, Parcel, [row("copy")])
    await update_where(session, Parcel, Parcel.code == "many", values={"weight": 4000})
    session.expunge_all()
    found = {row.code: row for row in await session.scalars(select(Parcel))}
    assert {code: row.weight for code, row in found.items()} == {
        "many": 4000,
        "returning": 2000,
        "upsert": 3000,
        "copy": 2000,
    }
    assert found["many"].revision == 2
    assert all(row.meta == AS_JSON and row.sizes == [AS_JSON] for row in found.values())
    assert await update_many(session, Parcel, [found["copy"].id], {"meta": SIZE}) == 1


async def test_upsert_sets_onupdate_columns_of_updated_rows(session: AsyncSession) -> None:
    rows: list[Row] = [{"code": code, "weight": 1} for code in ("a", "b")]
    assert await upsert_many(session, Parcel, rows[:1], by=["code"]) == (1, 0)
    assert await upsert_many(session, Parcel, rows, by=["code"]) == (1, 1)
    columns = select(Parcel.checks, Parcel.checker, Parcel.checked.is_not(None))
    found = await session.execute(columns.order_by(Parcel.code))
    assert found.all() == [(2, "upsert", True), (None, None, False)]


async def test_upsert_by_a_nullable_column_inserts_each_null(session: AsyncSession) -> None:
    rows: list[Row] = [{"code": "a", "barcode": "1"}, {"code": "b", "barcode": None}]
    assert await upsert_many(session, Parcel, rows, by=["barcode"]) == (2, 0)
    rows = [{"code": "c", "barcode": None}, {"code": "d", "barcode": "1"}]
    assert await upsert_many(session, Parcel, rows, by=["barcode"]) == (1, 1)


async def test_column_property_is_readable_and_not_writable(session: AsyncSession) -> None:
    class Crates(Repository[Crate]):
        model = Crate

    await insert_many(session, Crate, [{"code": "a", "weight": 3_000_000}])
    await copy_rows(session, Crate, [{"code": "b"}])
    rows = {row.code: row for row in await session.scalars(select(Crate))}
    assert [rows["a"].tons, rows["b"].tons] == [3, 0]

    for write in (
        Crates(session).update(rows["a"], {"tons": 1}),
        View(CrateOut, Crate).update(session, rows["a"].id, {"tons": 1}),
        insert_many(session, Crate, [{"code": "c", "tons": 1}]),
        upsert_many(session, Crate, [{"code": "c", "tons": 1}], by=["code"]),
        copy_rows(session, Crate, [{"code": "c", "tons": 1}]),
        update_many(session, Crate, [rows["a"].id], {"tons": 1}),
    ):
        with pytest.raises(TypeError, match="tons"):
            await write


async def test_errors_name_the_attribute(session: AsyncSession) -> None:
    await parcels(session, 1)
    cases: list[tuple[dict[str, Any], str]] = [
        ({"code": "p0"}, "code"),
        ({"code": "x", "weight": -1}, "weight"),
        ({"code": None}, "code"),
    ]
    for values, field in cases:
        with pytest.raises(IntegrityError) as caught:
            async with session.begin_nested():
                session.add(Parcel(**values))
        problem = problem_from_db_error(caught.value)
        assert problem is not None
        assert [error.field.rpartition(".")[2] for error in problem.errors] == [field]


async def test_compiled_statements_use_attribute_names(own_database: Database) -> None:
    crates = View(CrateOut, Crate)
    created = await crates.insert(own_database, CrateIn(code="c", meta=SIZE))
    assert created == CrateOut(code="c", meta=SIZE, weight=7, kilos=14, tons=0)
    assert await crates.list(own_database, crates.select()) == [created]
    async with own_database.reading() as session:
        (key,) = await session.scalars(select(Crate.id))
    changed = await crates.update(own_database, key, {"weight": 3_000_000})
    assert (changed.kilos, changed.tons) == (6_000_000, 3)
    assert await crates.get(own_database, key) == changed


@pytest.fixture
async def own_database(own_app: Any) -> Database:
    database: Database = own_app.state.database
    return database


async def test_joined_collections_count_root_rows(session: AsyncSession) -> None:
    created = await parcels(session)
    keys = [row.id for row in created]
    session.expunge_all()
    repository = Parcels(session)
    by_code = select(Parcel).order_by(Parcel.code)

    def codes(rows: Any) -> list[str]:
        assert all(len(row.stamps) == 2 for row in rows)
        return [row.code for row in rows]

    with pytest.deprecated_call(match="use `View.page`"):
        page = await repository.page(PageQuery(limit=2, offset=1), by_code, *WITH_STAMPS)
    assert (codes(page.items), page.total) == (["p1", "p2"], 3)
    cursor = await read_keyset_page(
        session, CursorQuery(limit=2), select(Parcel), order_by(tiebreaker=Parcel.id), *WITH_STAMPS
    )
    assert len(codes(cursor.items)) == 2
    assert sorted(codes(await repository.get_many(keys, *WITH_STAMPS))) == ["p0", "p1", "p2"]
    assert sorted(codes(await repository.lock_many(keys, *WITH_STAMPS))) == ["p0", "p1", "p2"]
    assert sorted(codes(await repository.lock_many_for_share(keys, *WITH_STAMPS))) == [
        "p0",
        "p1",
        "p2",
    ]
    assert codes(await repository.claim(by_code, 2, *WITH_STAMPS)) == ["p0", "p1"]
    one = await repository.get_one_or_none(Parcel.code == "p1", *WITH_STAMPS)
    assert codes([one]) == ["p1"]
    assert codes([await repository.get(keys[0], *WITH_STAMPS)]) == ["p0"]
    session.expunge_all()
    assert codes([await repository.get(keys[0], *WITH_STAMPS, for_update=True)]) == ["p0"]


PARCELS = View(ParcelOut, Parcel)


@pytest.mark.parametrize(
    "statement",
    [
        PARCELS.select().join(Parcel.stamps),
        PARCELS.select().distinct(),
        PARCELS.select().join(Parcel.stamps).distinct(),
        PARCELS.select().join(Parcel.stamps).order_by(Parcel.code.desc()),
        PARCELS.select().where(Stamp.parcel_id == Parcel.id),
        PARCELS.select().order_by(Parcel.weight.desc().nulls_last()),
        select(Parcel).join(Parcel.stamps).options(*WITH_STAMPS),
        select(Parcel).distinct().options(*WITH_STAMPS),
    ],
)
async def test_pages_of_joined_and_distinct_statements_contain_each_row_once(
    session: AsyncSession, statement: Any
) -> None:
    await parcels(session, 5)
    session.expunge_all()
    found: list[str] = []
    for offset in (0, 2, 4):
        query = PageQuery(limit=2, offset=offset)
        page = await PARCELS.page(session, query, statement)
        assert page.total == 5
        assert len(page.items) == (1 if offset == 4 else 2)
        found += [item.code for item in page.items]
    assert sorted(found) == ["p0", "p1", "p2", "p3", "p4"]

    by, cursor, found = order_by(Parcel.weight.desc(), tiebreaker=Parcel.id), None, []
    while True:
        cursor_query, unordered = CursorQuery(limit=2, cursor=cursor), statement.order_by(None)
        slice_ = await read_keyset_page(session, cursor_query, unordered, by)
        feed = await PARCELS.feed(session, cursor_query, unordered, by)
        assert [item.code for item in feed.items] == [item.code for item in slice_.items]
        assert feed.next == slice_.next
        found += [item.code for item in slice_.items]
        cursor = slice_.next
        if cursor is None:
            break
    assert found == ["p4", "p3", "p2", "p1", "p0"]


async def test_pages_reject_unsupported_statements(session: AsyncSession) -> None:
    query, by = PageQuery(), order_by(tiebreaker=Parcel.id)
    union: Any = select(Parcel.id).union(select(Parcel.id))
    for statement in (union, select(Parcel).limit(3), select(Parcel.code).distinct()):
        with pytest.raises(TypeError, match="page"):
            await PARCELS.page(session, query, statement)
        with pytest.raises(TypeError, match="page"):
            await read_keyset_page(session, CursorQuery(), statement, by)
    by_text = PARCELS.select().join(Parcel.stamps).order_by("code")
    with pytest.raises(TypeError, match="instead of the text 'code'"):
        await PARCELS.page(session, query, by_text)
    with pytest.raises(TypeError, match="GROUP BY"):
        await read_keyset_page(session, CursorQuery(), PARCELS.select().group_by(Parcel.id), by)
    grouped = PARCELS.select().group_by(Parcel.id).order_by(Parcel.code)
    await parcels(session, 3)
    page = await PARCELS.page(session, PageQuery(limit=2, offset=2), grouped)
    assert ([item.code for item in page.items], page.total) == (["p2"], 3)


async def test_primary_key_can_have_any_name(session: AsyncSession) -> None:
    await parcels(session, 1)
    repository = Stamps(session)
    # Not `Id`, which may be a UUID.
    keys: list[Any] = [1, 2]
    key = keys[0]
    assert (await repository.get(key)).text == "s1"
    assert len(await repository.get_many(keys)) == 2
    stamps = View(StampOut, Stamp)
    assert (await stamps.page(session, PageQuery(limit=1), stamps.select())).total == 2
    assert await repository.count() == 2
    stamp = await stamps.update(session, key, {"text": "new"})
    assert stamp.text == "new"
    await repository.delete(key)
    assert await repository.count() == 1
