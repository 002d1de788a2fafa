"""Soft delete with single-table and joined-table inheritance."""

from datetime import timedelta

import pytest
from fastapi import FastAPI
from sqlalchemy import delete, func, select, union_all, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import with_polymorphic

from app.kit.db.base import utc_now
from app.kit.db.deletion import INCLUDE_DELETED, delete_row, delete_where
from app.kit.db.session import Database
from app.kit.errors.problems import NotFound
from app.kit.writes.deleted_rows import purge, restore
from tests.conformance.features.hierarchies.models import (
    Boat,
    Car,
    Document,
    Invoice,
    Letter,
    Position,
    Reminder,
    Vehicle,
    Wheel,
)
from tests.conformance.features.rows import stored, visible
from tests.conformance.features.test_hierarchies import car, invoice
from tests.conformance.features.test_ownership import add


async def test_subclass_and_children_are_deleted_with_one_timestamp(session: AsyncSession) -> None:
    await add(session, car(), invoice(), Reminder(title="r", total=1, positions=[Position()]))

    assert await delete_where(session, Car) == 1
    assert await delete_where(session, Document) == 2

    for owner, owned in ((Vehicle, Wheel), (Document, Position)):
        times = union_all(select(owner.deleted_at), select(owned.deleted_at)).subquery()
        found = select(times.c.deleted_at).distinct()
        (when,) = (await session.scalars(found, execution_options=INCLUDE_DELETED)).all()
        assert when is not None
    assert await stored(session, Invoice) == 2


@pytest.mark.parametrize("base", [False, True], ids=["by its class", "by its base class"])
async def test_subclass_is_restored_with_its_children(session: AsyncSession, base: bool) -> None:
    vehicle, document = car(), invoice()
    await add(session, vehicle, document)
    await delete_row(session, vehicle)
    await delete_row(session, document)

    with pytest.raises(NotFound):
        await restore(session, Boat, vehicle.id)
    with pytest.raises(NotFound):
        await restore(session, Letter, document.id)
    await restore(session, Vehicle if base else Car, vehicle.id)
    await restore(session, Document if base else Invoice, document.id)

    for model in (Car, Wheel, Invoice, Position):
        assert len(await visible(session, model)) == 1


async def test_purge_removes_rows_of_every_class(own_app: FastAPI) -> None:
    database: Database = own_app.state.database
    async with database.transaction() as session:
        kept = [car(), invoice()]
        deleted = [car(), Boat(name="boat"), invoice(), Letter(title="letter")]
        await add(session, *kept, *deleted, Document(title="plain"))
        for record in deleted:
            await delete_row(session, record)
        await delete_where(session, Document, Document.title == "plain")

    removed = await purge(database, before=utc_now() + timedelta(minutes=1), size=1)

    assert removed["conformance_vehicles"] == 2
    assert removed["conformance_documents"] == 3
    assert "conformance_invoices" not in removed
    async with database.transaction() as session:
        for model in (Vehicle, Wheel, Document, Invoice, Position):
            assert await stored(session, model) == 1


async def test_deleted_rows_of_subclasses_are_not_read(session: AsyncSession) -> None:
    deleted, kept = invoice("deleted"), invoice("kept")
    await add(session, deleted, kept, Letter(title="letter"), car(), Boat(name="boat"))
    await delete_row(session, deleted)
    await delete_where(session, Car)
    every = with_polymorphic(Document, "*")

    assert await session.scalar(select(func.count()).select_from(Invoice)) == 1
    assert await session.scalar(select(func.sum(Invoice.total))) == 1
    assert (await session.scalars(select(Invoice.title))).all() == ["kept"]
    assert len((await session.scalars(select(every))).all()) == 2
    assert await session.scalar(select(func.count(every.Invoice.total))) == 1
    assert (await session.scalars(select(Vehicle.name))).all() == ["boat"]
    session.expunge_all()
    assert await session.get(Document, deleted.id) is None
    hidden = select(every).where(every.title == "deleted")
    found = await session.scalar(hidden, execution_options=INCLUDE_DELETED)
    assert isinstance(found, Invoice)
    assert found.total == 1
    assert await session.get(Invoice, deleted.id) is None


async def test_update_of_joined_subclass_ignores_deleted_rows(
    session: AsyncSession,
) -> None:
    deleted, kept = invoice(), invoice()
    await add(session, deleted, kept)
    await delete_row(session, deleted)

    changed = update(Invoice).values(total=7).returning(Invoice.id)

    assert (await session.scalars(changed.where(Invoice.id == deleted.id))).all() == []
    assert (await session.scalars(changed.where(Invoice.title == "invoice"))).all() == [kept.id]
    with pytest.raises(TypeError, match="delete_where"):
        await session.execute(delete(Invoice))


async def test_restored_object_has_the_columns_of_its_subclass(session: AsyncSession) -> None:
    document = invoice()
    await add(session, document)
    await delete_row(session, document)
    session.expunge_all()

    restored = await restore(session, Document, document.id)

    assert isinstance(restored, Invoice)
    assert restored.total == 1
