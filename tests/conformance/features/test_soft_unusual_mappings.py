"""Soft delete, restore and purge of models with unusual mappings."""

from datetime import timedelta

import pytest
from fastapi import FastAPI
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app.kit.db.base import utc_now
from app.kit.db.session import Database
from app.kit.errors.problems import Conflict
from app.kit.queries.repository import Repository
from app.kit.writes.bulk import delete_many, insert_returning
from app.kit.writes.deleted_rows import purge, restore
from app.kit.writes.upsert import upsert_many
from tests.conformance.features.rows import stored, visible
from tests.conformance.features.unusual_mappings.models import (
    Asset,
    Fan,
    Machine,
    Piece,
    Robot,
    Router,
    Show,
    Ticket,
    Tile,
    Zone,
    follows,
)


class Fans(Repository[Fan]):
    model = Fan


async def test_unusual_models_are_restored_and_purged(own_app: FastAPI) -> None:
    database: Database = own_app.state.database
    async with database.transaction() as session:
        fans = [Fan(name=name) for name in "abc"]
        fans[0].following = fans[1:]
        fans[1].following = fans[:1]
        show = Show(title="t", host=fans[0])
        session.add_all(
            [
                *fans,
                show,
                Ticket(fan=fans[0], show=show, seat="1"),
                Ticket(fan=fans[1], show=show, seat="2"),
            ]
        )
        session.add(Tile(zone=Zone.NORTH, number=1, pieces=[Piece(class_="x"), Piece(class_="y")]))
        await session.flush()
        robots = await insert_returning(session, Robot, [{"name": "r"}, {"name": "s"}])
        routers = await insert_returning(session, Router, [{"label": "r"}, {"label": "s"}])
    async with database.transaction() as session:
        version = (await session.get_one(Show, show.id)).version
        await delete_many(session, Show, [show.id])
        assert await visible(session, Ticket) == []
    async with database.transaction() as session:
        restored_show = await restore(session, Show, show.id)
        assert restored_show.version > version
        assert len(await visible(session, Ticket)) == 2
        await Fans(session).delete(fans[0].id)
        assert len(await visible(session, Ticket)) == 1
    async with database.transaction() as session:
        await restore(session, Fan, fans[0].id)
        assert len(await visible(session, Ticket)) == 2
        await delete_many(session, Machine, robots[:1])
        await delete_many(session, Asset, robots[1:])
        restored = await restore(session, Robot, robots[0])
        assert (restored.arms, restored.power, restored.name) == (2, 1, "r")
        await delete_many(session, Router, routers)
        with pytest.raises(Conflict):
            await upsert_many(session, Router, [{"id": routers[0], "label": "z"}], by=["id"])
        assert (await restore(session, Router, routers[1])).label == "s"
        (piece,) = await session.scalars(select(Piece).where(Piece.class_ == "x"))
        await session.delete(piece)
        await session.flush()
        session.add(Piece(class_="x"))
    async with database.transaction() as session:
        with pytest.raises(IntegrityError):
            async with session.begin_nested():
                await restore(session, Piece, piece.id)
        await session.delete(await session.get_one(Fan, fans[0].id))
        await session.delete(await session.get_one(Show, show.id))
    await purge(database, utc_now() + timedelta(seconds=1))
    async with database.transaction() as session:
        assert await stored(session, Piece) == 2
        assert await stored(session, Robot) == 1
        assert await stored(session, Machine) == 1
        assert await stored(session, Asset) == 1
        assert await stored(session, Router) == 1
        assert await stored(session, Fan) == 2
        assert await stored(session, Show) == 0
        assert await stored(session, Ticket) == 0
        assert (await session.execute(select(follows))).all() == []
