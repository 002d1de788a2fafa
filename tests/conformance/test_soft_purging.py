"""Purging removes no row that is not deleted, whatever refers to what."""

from datetime import timedelta

import pytest
from fastapi import FastAPI

from app.kit.db.base import now
from app.kit.db.deletion import erase
from app.kit.db.purging import purge
from app.kit.db.session import Database
from tests.conformance.features.purging.models import Depot, Freight, Item, Label, Pallet
from tests.conformance.rows import stored
from tests.conformance.test_ownership import add


@pytest.mark.parametrize("size", [1, 1000])
async def test_purge_keeps_rows_that_others_refer_to(own_app: FastAPI, size: int) -> None:
    database: Database = own_app.state.database
    async with database.transaction() as session:
        depots = [Depot(code=code) for code in "abcdef"]
        await add(session, *depots)
        kept = Pallet(depot_area=1, depot_code="a")
        gone = Pallet(depot_area=1, depot_code="b")
        referred = Pallet(depot_area=1, depot_code="c")
        await add(session, kept, gone, referred)
        inside = Depot(code="inside d", inside_id=depots[3].id)
        await add(session, inside, Item(pallet_id=referred.id), Label(depot_id=depots[5].id))
        for record in (*depots[:4], depots[5], gone, referred):
            await erase(session, record)

    removed = await purge(database, before=now() + timedelta(minutes=1), size=size)

    assert removed["conformance_depots"] == 2
    assert removed["conformance_freights"] == 1
    async with database.transaction() as session:
        assert await stored(session, Depot) == 5
        assert await stored(session, Freight) == await stored(session, Pallet) == 2
        assert await stored(session, Item) == 1
        assert await stored(session, Label) == 0


@pytest.mark.parametrize("size", [1, 1000])
async def test_purge_removes_a_tree_up_to_the_rows_that_are_kept(
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
            await erase(session, depot)

    removed = await purge(database, before=now() + timedelta(minutes=1), size=size)

    assert removed["conformance_depots"] == 3
    async with database.transaction() as session:
        assert await stored(session, Depot) == 3
