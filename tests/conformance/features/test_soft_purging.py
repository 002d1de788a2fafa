"""Purge permanently deletes only soft-deleted rows, and keeps every row that is referenced."""

from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from app.kit.db.base import utc_now
from app.kit.db.deletion import delete_row
from app.kit.db.session import Database
from app.kit.writes.deleted_rows import purge
from tests.conformance.features.purging.models import (
    Claim,
    Crew,
    Depot,
    Freight,
    Item,
    Label,
    Medal,
    Pallet,
    Receipt,
    Sailor,
    Seal,
    Shipment,
)
from tests.conformance.features.rows import stored
from tests.conformance.features.test_ownership import add

# Fails once, because a rollback does not reset a sequence.
DEADLOCK_ONCE = [
    "CREATE SEQUENCE conformance_deletes",
    """CREATE FUNCTION conformance_deadlock() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF nextval('conformance_deletes') = 1 THEN
            RAISE EXCEPTION USING ERRCODE = 'deadlock_detected';
        END IF;
        RETURN OLD;
    END $$""",
    """CREATE TRIGGER conformance_deadlock BEFORE DELETE ON conformance_depots
    FOR EACH ROW EXECUTE FUNCTION conformance_deadlock()""",
]


@pytest.mark.parametrize("size", [1, 1000])
async def test_purge_keeps_referenced_rows(own_app: FastAPI, size: int) -> None:
    database: Database = own_app.state.database
    async with database.transaction() as session:
        depots = [Depot(code=code) for code in "abcdef"]
        await add(session, *depots)
        kept = Pallet(depot_area=1, depot_code="a")
        deleted = Pallet(depot_area=1, depot_code="b")
        referred = Pallet(depot_area=1, depot_code="c")
        await add(session, kept, deleted, referred)
        inside = Depot(code="inside d", inside_id=depots[3].id)
        await add(session, inside, Item(pallet_id=referred.id), Label(depot_id=depots[5].id))
        for record in (*depots[:4], depots[5], deleted, referred):
            await delete_row(session, record)

    removed = await purge(database, before=utc_now() + timedelta(minutes=1), size=size)

    assert removed["conformance_depots"] == 2
    assert removed["conformance_freights"] == 1
    async with database.transaction() as session:
        assert await stored(session, Depot) == 5
        assert await stored(session, Freight) == await stored(session, Pallet) == 2
        assert await stored(session, Item) == 1
        assert await stored(session, Label) == 0


@pytest.mark.parametrize("model", [Seal, Receipt])
async def test_purge_keeps_rows_whose_foreign_key_has_unusual_rules(
    own_app: FastAPI, model: type[Any]
) -> None:
    database: Database = own_app.state.database
    async with database.transaction() as session:
        await add(session, *(depots := [Depot(code=code) for code in "abc"]))
        await add(session, model(depot_id=depots[1].id))
        for depot in depots:
            await delete_row(session, depot)

    removed = await purge(database, before=utc_now() + timedelta(minutes=1))

    assert removed["conformance_depots"] == 2
    async with database.transaction() as session:
        assert await stored(session, model) == 1


@pytest.mark.parametrize("size", [1, 1000])
async def test_purge_removes_a_tree_up_to_the_first_row_that_is_kept(
    own_app: FastAPI, size: int
) -> None:
    database: Database = own_app.state.database
    async with database.transaction() as session:
        trees: list[list[Depot]] = []
        for tree in "ab":
            level: list[Depot] = []
            for depth in range(3):
                above = level[-1].id if level else None
                await add(session, depot := Depot(code=f"{tree}{depth}", inside_id=above))
                level.append(depot)
            trees.append(level)
        for depot in (*trees[0], *trees[1][:2]):
            await delete_row(session, depot)

    removed = await purge(database, before=utc_now() + timedelta(minutes=1), size=size)

    assert removed["conformance_depots"] == 3
    async with database.transaction() as session:
        assert await stored(session, Depot) == 3


@pytest.mark.parametrize("size", [1, 1000])
async def test_purge_keeps_rows_referenced_through_models_without_soft_delete(
    own_app: FastAPI, size: int
) -> None:
    database: Database = own_app.state.database
    async with database.transaction() as session:
        await add(session, *(depots := [Depot(code=code) for code in "abcd"]))
        shipments = [
            Shipment(number=number, part=1, depot_id=depot.id)
            for number, depot in enumerate(depots)
        ]
        await add(session, *shipments)
        # Another shipment references the fourth one, and a claim references that shipment.
        other = Depot(code="e")
        await add(session, other)
        await add(session, Shipment(number=9, part=1, depot_id=other.id, after_id=shipments[3].id))
        deleted = Claim(shipment_no=1, shipment_part=1)
        claims = [Claim(shipment_no=0, shipment_part=1), Claim(shipment_no=9, shipment_part=1)]
        await add(session, deleted, *claims)
        for record in (*depots, deleted):
            await delete_row(session, record)

    await purge(database, before=utc_now() + timedelta(minutes=1), size=size)

    async with database.transaction() as session:
        assert await stored(session, Claim) == 2
        assert await stored(session, Shipment) == 3
        assert await stored(session, Depot) == 3


@pytest.mark.parametrize("size", [1, 1000])
async def test_purge_removes_circular_references_without_other_references(
    own_app: FastAPI, size: int
) -> None:
    database: Database = own_app.state.database
    async with database.transaction() as session:
        pairs = [(Crew(), Sailor()) for _ in range(5)]
        for crew, sailor in pairs:
            await add(session, crew)
            sailor.crew_id = crew.id
            await add(session, sailor)
            crew.captain_id = sailor.id
        # The first pair is referenced from outside, and the second has a member that is not
        # deleted. The last pair is a member of the one before: they are purged in succession.
        await add(session, Medal(sailor_id=pairs[0][1].id), Sailor(crew_id=pairs[1][0].id))
        pairs[4][1].crew_id = pairs[3][0].id
        for pair in pairs:
            for record in pair:
                await delete_row(session, record)

    await purge(database, before=utc_now() + timedelta(minutes=1), size=size)

    async with database.transaction() as session:
        assert await stored(session, Crew) == 2
        assert await stored(session, Sailor) == 3
        assert await stored(session, Medal) == 1


async def test_purge_retries_a_batch_after_a_deadlock(own_app: FastAPI) -> None:
    database: Database = own_app.state.database
    async with database.transaction() as session:
        for statement in DEADLOCK_ONCE:
            await session.execute(text(statement))
        await add(session, depot := Depot(code="a"))
        await delete_row(session, depot)

    removed = await purge(database, before=utc_now() + timedelta(minutes=1))

    assert removed["conformance_depots"] == 1
    assert database.counts.retries == 1
