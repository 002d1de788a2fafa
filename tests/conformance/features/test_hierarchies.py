"""Single-table and joined-table inheritance: operations on one class do not affect others."""

from typing import Any

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectin_polymorphic

from app.kit.db.deletion import delete_row, delete_where
from app.kit.errors.problems import Conflict, NotFound
from app.kit.queries.repository import Repository
from app.kit.writes.bulk import (
    delete_many,
    insert_many,
    insert_returning,
    update_many,
    update_where,
)
from app.kit.writes.copy import copy_rows
from app.kit.writes.upsert import upsert_many
from tests.conformance.features.hierarchies.models import (
    Boat,
    Car,
    CreditNote,
    Document,
    Invoice,
    Letter,
    Position,
    Reminder,
    Vehicle,
    Wheel,
)
from tests.conformance.features.rows import visible
from tests.conformance.features.test_ownership import Delete, add, every_delete_method

SUBCLASSES = [Car, Boat, Invoice, Reminder, Letter]


def repository(of: type[Any], session: AsyncSession) -> Repository[Any]:
    class Records(Repository[Any]):
        model = of

    return Records(session)


def car(name: str = "car") -> Car:
    return Car(name=name, wheels=[Wheel()])


def invoice(title: str = "invoice", total: int = 1) -> Invoice:
    return Invoice(title=title, total=total, positions=[Position()])


@every_delete_method
async def test_deleting_single_table_subclass_deletes_its_children(
    session: AsyncSession, delete: Delete
) -> None:
    deleted, kept, boat = car(), car(), Boat(name="boat")
    await add(session, deleted, kept, boat)
    wheel = kept.wheels[0]

    await delete(session, deleted)

    assert await visible(session, Vehicle) == sorted([kept.id, boat.id])
    assert await visible(session, Wheel) == [wheel.id]


@every_delete_method
@pytest.mark.parametrize("model", [Invoice, Reminder])
async def test_deleting_joined_subclass_deletes_its_children(
    session: AsyncSession, delete: Delete, model: type[Invoice]
) -> None:
    deleted, kept = model(title="", total=1, positions=[Position()]), invoice()
    letter = Letter(title="letter")
    await add(session, deleted, kept, letter)
    position = kept.positions[0]

    await delete(session, deleted)

    assert await visible(session, Document) == sorted([kept.id, letter.id])
    assert await visible(session, Position) == [position.id]


async def test_delete_by_criteria_of_subclass_keeps_its_siblings(session: AsyncSession) -> None:
    boat, letter, plain = Boat(name="same"), Letter(title="same"), Document(title="same")
    await add(session, car("same"), boat, invoice("same"), invoice("other"), letter, plain)

    assert await delete_where(session, Car, Car.name == "same") == 1
    assert await delete_where(session, Invoice, Invoice.title == "same", Invoice.total == 1) == 1

    assert await visible(session, Vehicle) == [boat.id]
    assert len(await visible(session, Invoice)) == 1
    assert len(await visible(session, Document)) == 3


async def test_delete_by_criteria_of_base_class_deletes_children_of_subclasses(
    session: AsyncSession,
) -> None:
    await add(session, car(), Boat(name="boat"), invoice(), Letter(title="letter"))

    assert await delete_where(session, Vehicle) == 2
    assert await delete_where(session, Document) == 2

    for model in (Vehicle, Wheel, Document, Invoice, Position):
        assert await visible(session, model) == []


async def test_delete_by_ids_of_another_class_deletes_nothing(session: AsyncSession) -> None:
    boat, letter = Boat(name="boat"), Letter(title="letter")
    await add(session, boat, letter)

    assert await delete_many(session, Car, [boat.id]) == 0
    assert await delete_many(session, Invoice, [letter.id]) == 0


@pytest.mark.parametrize("name", ["title", "total"])
async def test_column_of_either_table_is_updated_by_id(session: AsyncSession, name: str) -> None:
    record, other = invoice(), invoice()
    await add(session, record, other)
    before, value = record.updated_at, {"title": "new", "total": 7}[name]
    session.expunge_all()

    invoices = repository(Invoice, session)
    changed = await invoices.update(await invoices.get(record.id), {name: value})

    assert getattr(changed, name) == value
    assert changed.version == 2
    assert changed.updated_at > before
    session.expunge_all()
    assert getattr(await session.get_one(Invoice, record.id), name) == value
    assert getattr(await session.get_one(Invoice, other.id), name) != value


async def test_row_of_another_class_is_not_found_by_id(session: AsyncSession) -> None:
    boat, letter = Boat(name="boat"), Letter(title="letter")
    await add(session, boat, letter)
    with pytest.raises(NotFound):
        await repository(Car, session).get(boat.id)
    with pytest.raises(NotFound):
        await repository(Invoice, session).get(letter.id)


async def test_deleted_row_of_subclass_is_not_updated(session: AsyncSession) -> None:
    deleted, kept, vehicle, other = invoice(), invoice(), car(), car()
    await add(session, deleted, kept, vehicle, other)
    for record in (deleted, vehicle):
        await delete_row(session, record)

    with pytest.raises(NotFound):
        await repository(Invoice, session).get(deleted.id)
    with pytest.raises(NotFound):
        await repository(Car, session).get(vehicle.id)
    assert await update_many(session, Invoice, [deleted.id], {"total": 7, "title": "new"}) == 0
    assert await update_many(session, Car, [vehicle.id], {"doors": 2}) == 0

    changed = "SELECT count(*) FROM conformance_invoices WHERE total = 7"
    assert await session.scalar(text(changed)) == 0


async def test_joined_subclass_is_updated_by_criteria(session: AsyncSession) -> None:
    first, second, letter = invoice("a", 1), invoice("b", 1), Letter(title="a")
    await add(session, first, second, letter)
    before = first.updated_at

    values = {"title": "new", "total": Invoice.total + 1}
    assert await update_where(session, Invoice, Invoice.title == "a", values=values) == 1
    assert await update_where(session, Invoice, Invoice.title == "new", values={"total": 9}) == 1
    assert await update_where(session, Invoice, Invoice.title == "none", values=values) == 0
    with pytest.raises(TypeError, match="Invoice has no column wrong"):
        await update_where(session, Invoice, values={"wrong": 1})

    session.expunge_all()
    changed = await session.get_one(Invoice, first.id)
    assert (changed.title, changed.total, changed.version) == ("new", 9, 3)
    assert changed.updated_at > before
    assert (await session.get_one(Invoice, second.id)).version == 1
    assert (await session.get_one(Letter, letter.id)).title == "a"


async def test_updating_subclass_column_sets_updated_at(session: AsyncSession) -> None:
    record = invoice()
    await add(session, record)
    before = record.updated_at

    record.total = 5
    await session.flush()

    assert record.updated_at > before
    stored = await session.scalar(select(Document.updated_at).where(Document.id == record.id))
    assert stored == record.updated_at


@pytest.mark.parametrize("model", SUBCLASSES)
async def test_inserted_rows_have_their_class(session: AsyncSession, model: Any) -> None:
    row = {"name": "x"} if issubclass(model, Vehicle) else {"title": "x"}
    if issubclass(model, Invoice):
        row["total"] = 1  # type: ignore[assignment]  # wrong on purpose

    assert await insert_many(session, model, [row, row]) == 2
    ids = await insert_returning(session, model, [row])

    assert (await session.get_one(model, ids[0])).id == ids[0]
    assert len(await visible(session, model)) == 3
    found = await repository(model, session).get(ids[0], for_update=True)
    assert type(found) is model


@pytest.mark.parametrize("model", [Car, Boat])
async def test_copied_rows_have_their_class(session: AsyncSession, model: Any) -> None:
    assert await copy_rows(session, model, [{"name": "a"}, {"name": "b"}]) == 2
    assert len(await visible(session, model)) == 2


async def test_copy_and_upsert_reject_model_with_several_tables(session: AsyncSession) -> None:
    with pytest.raises(TypeError, match="several tables: use `insert_many`"):
        await copy_rows(session, Invoice, [{"title": "a", "total": 1}])
    with pytest.raises(TypeError, match="several tables: use `insert_many` and"):
        await upsert_many(session, Invoice, [{"title": "a", "total": 1}], by=["id"])


async def test_upsert_does_not_update_row_of_another_class(session: AsyncSession) -> None:
    boat, vehicle = Boat(name="boat"), car()
    await add(session, boat, vehicle)

    row = {"id": vehicle.id, "name": "new"}
    assert await upsert_many(session, Car, [row], by=["id"]) == (0, 1)
    with pytest.raises(Conflict, match="id already exists"):
        await upsert_many(session, Car, [{"id": boat.id, "name": "new"}], by=["id"])
    assert await session.scalar(select(Boat.name)) == "boat"


async def test_subclasses_are_read_and_counted(session: AsyncSession) -> None:
    await add(session, car(), Boat(name="boat"), invoice(), Letter(title="letter"))
    for model in (Car, Boat, Invoice, Letter):
        rows = repository(model, session)
        (found,) = await visible(session, model)
        assert await rows.count() == 1
        assert await rows.exists(model.id == found)
        assert [row.id for row in await rows.get_many([found])] == [found]
        assert [row.id for row in await rows.lock_many([found])] == [found]
        assert [row.id for row in await rows.lock_many_for_share([found])] == [found]
    loads = selectin_polymorphic(Document, [Invoice, Letter])
    documents = (await session.scalars(select(Document).options(loads))).all()
    assert {type(each) for each in documents} == {Invoice, Letter}
    assert await session.scalar(select(func.sum(Invoice.total))) == 1


async def test_single_table_subclass_of_joined_subclass_is_updated_once(
    session: AsyncSession,
) -> None:
    await add(session, CreditNote(title="note", total=1), invoice(total=1))

    assert await update_where(session, CreditNote, values={"total": Invoice.total + 1}) == 1

    assert (await session.scalars(select(Invoice.total).order_by(Invoice.total))).all() == [1, 2]


async def test_row_of_base_class_has_no_relationships_of_subclasses(session: AsyncSession) -> None:
    vehicle = Vehicle(name="old")
    await add(session, vehicle)

    vehicle.name = "new"
    await session.flush()

    assert await session.scalar(select(Vehicle.name)) == "new"
