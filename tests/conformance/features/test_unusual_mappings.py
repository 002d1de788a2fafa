"""Every kind of read and write on models with unusual mappings."""

import re
from datetime import datetime
from ipaddress import IPv4Interface
from typing import Any

import pytest
from fastapi import FastAPI, Response
from pydantic import Field
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased, selectinload, undefer

from app.kit.db.session import Database
from app.kit.errors.problems import Conflict, FieldProblem
from app.kit.http.etag import EntityTag
from app.kit.http.schemas import ResponseModel
from app.kit.queries.pagination import CursorQuery, PageQuery
from app.kit.queries.repository import Repository, load_options
from app.kit.queries.sorting import SortOrder, order_by
from app.kit.queries.view import View
from app.kit.writes.bulk import (
    delete_many,
    insert_many,
    insert_returning,
    update_many,
    update_where,
)
from app.kit.writes.copy import copy_rows
from app.kit.writes.transactions import savepoint
from app.kit.writes.upsert import upsert_many
from tests.conformance.features.sorting.models import SortSample
from tests.conformance.features.unusual_mappings.models import (
    Asset,
    Device,
    Fan,
    Machine,
    Piece,
    Reservation,
    Robot,
    Router,
    Show,
    Ticket,
    Tile,
    Zone,
)

FAN: Any = Fan
OTHER: Any = aliased(Fan)


class TileOut(ResponseModel):
    zone: Zone
    number: int
    zones: list[Zone]


class PieceOut(ResponseModel):
    from_: int
    class_: str
    key: str
    row: str
    value_key: str
    meta: dict[str, Any] = Field(validation_alias="metadata_")
    document: dict[str, Any] = Field(validation_alias="json")
    copied: str = Field(validation_alias="copy")
    tile: TileOut | None


class TileWithPieces(TileOut):
    pieces: list["SmallPiece"]


class SmallPiece(ResponseModel):
    from_: int
    class_: str


class TicketOut(ResponseModel):
    seat: str
    show: "ShowOut"


class ShowOut(ResponseModel):
    title: str


class FanName(ResponseModel):
    name: str
    ticket_count: int
    rank: Any


class FanOut(ResponseModel):
    name: str
    rank: Any
    notes: str | None
    ticket_count: int
    following: list[FanName]
    followers: list[FanName]
    tickets: list[TicketOut]


class Pieces(Repository[Piece]):
    model = Piece


class Fans(Repository[Fan]):
    model = Fan


class Shows(Repository[Show]):
    model = Show


class Devices(Repository[Device]):
    model = Device


class Robots(Repository[Robot]):
    model = Robot


class Assets(Repository[Asset]):
    model = Asset


async def all_pages(session: AsyncSession, view: View[Any], by: SortOrder, limit: int) -> list[Any]:
    """Return the rows of all pages of a feed."""
    rows: list[Any] = []
    query = CursorQuery(limit=limit)
    while True:
        page = await view.feed(session, query, view.select(), by)
        rows += page.items
        if page.next is None:
            return rows
        query = CursorQuery(limit=limit, cursor=page.next)


async def test_bulk_writes_of_a_model_with_a_composite_key(session: AsyncSession) -> None:
    first, second = ({"zone": zone, "number": 1, "zones": []} for zone in Zone)

    await insert_many(session, Tile, [first])
    await copy_rows(session, Tile, [second])
    result = await upsert_many(session, Tile, [first, first | {"number": 2}], by=["zone", "number"])

    assert result == (1, 1)


async def test_reserved_attribute_names_and_composite_keys(session: AsyncSession) -> None:
    session.add(Tile(zone=Zone.NORTH, number=1, zones=[Zone.SOUTH]))
    await session.flush()
    view = View(PieceOut, Piece)
    plain = View(SmallPiece, Piece)
    created = await plain.insert(session, {"class_": "a", "from_": 3})
    assert created == SmallPiece(from_=3, class_="a")
    row = {
        "class_": "b",
        "from_": 1,
        "tile_zone": Zone.NORTH,
        "tile_no": 1,
        "metadata_": {"a": 1},
        "key": "K",
        "row": "R",
        "value_key": "V",
        "copy": "C",
        "json": {},
        "schema": "S",
        "dict": "D",
    }
    await insert_many(session, Piece, [row])
    (key,) = await insert_returning(session, Piece, [row | {"class_": "c", "from_": 0}])
    await copy_rows(session, Piece, [row | {"class_": "d"}])
    shown = await view.get(session, key)
    assert (shown.key, shown.row, shown.value_key, shown.meta, shown.copied) == (
        "K",
        "R",
        "V",
        {"a": 1},
        "C",
    )
    assert shown.tile == TileOut(zone=Zone.NORTH, number=1, zones=[Zone.SOUTH])
    await plain.update(
        session, key, {"key": "x", "row": "y", "value_key": "z", "metadata_": {"b": 2}}
    )
    record = await Pieces(session).update(
        await Pieces(session).get(key), {"key": "xx", "row": "yy", "dict": "d", "json": {"q": 1}}
    )
    assert (record.key, record.row, record.value_key, record.metadata_) == (
        "xx",
        "yy",
        "z",
        {"b": 2},
    )
    await Pieces(session).update(record, {"schema": "T", "copy": "CC"})
    assert await update_many(session, Piece, [key], {"key": "up", "from_": Piece.from_ + 1}) == 1
    assert await upsert_many(
        session, Piece, [row | {"class_": "c", "key": "ups"}, row | {"class_": "e"}], by=["class_"]
    ) == (1, 1)
    session.expunge_all()
    (tile,) = await session.scalars(select(Tile).options(selectinload(Tile.pieces)))
    assert [each.from_ for each in tile.pieces] == [1, 1, 1, 1]
    tiles = View(TileWithPieces, Tile)
    (shown_tile,) = await tiles.list(session, tiles.select())
    assert len(shown_tile.pieces) == 4
    by = order_by(Piece.from_.asc(), Piece.class_.desc(), tiebreaker=Piece.id)
    rows = await all_pages(session, view, by, limit=2)
    assert [each.class_ for each in rows] == ["e", "d", "c", "b", "a"]
    page = await view.page(
        session, PageQuery(limit=2, offset=2), view.select().order_by(Piece.from_, Piece.class_)
    )
    assert (page.total, [each.class_ for each in page.items]) == (5, ["d", "e"])


async def test_self_referential_many_to_many_and_computed_columns(session: AsyncSession) -> None:
    a, b, c = (Fan(name=n, score=s) for n, s in [("a", 1), ("b", 2), ("c", 2)])
    a.following = [b, c]
    c.following = [a, c]
    show = Show(title="t", host=a)
    session.add_all([a, b, c, show])
    session.add(Ticket(fan=a, show=show, seat="1"))
    await session.flush()
    view = View(FanOut, Fan)
    shown = await view.get(session, a.id)
    assert [f.name for f in shown.following] == ["c", "b"]
    assert [f.name for f in shown.followers] == ["c"]
    assert (shown.ticket_count, shown.tickets[0].show.title) == (1, "t")
    by = order_by(Fan.rank.desc(), Fan.name.asc(), tiebreaker=Fan.id)
    rows = await all_pages(session, view, by, limit=1)
    assert [each.name for each in rows] == ["b", "c", "a"]
    updated = await View(FanName, Fan).update(session, b.id, {"score": 30})
    assert str(updated.rank) == "10.00"
    changed = await Fans(session).update(c, {"score": 60})
    assert str(changed.rank) == "20.00"
    joined = view.select().join(Fan.following.of_type(OTHER)).where(OTHER.name != "b")
    found = await view.page(session, PageQuery(), joined.order_by(Fan.rank))
    assert found.total == 2
    names = View(FanName, Fan)
    assert {
        f.name for f in await names.list(session, names.select().where(FAN.ticket_count > 0))
    } == {"a"}
    await session.refresh(a, ["tickets"])
    a_loaded = await Fans(session).get(
        a.id,
        *load_options(selectinload(Fan.following), selectinload(Fan.tickets), undefer(Fan.notes)),
    )
    a_loaded.following = [b]
    await session.flush()
    await Fans(session).delete(c.id)
    session.expunge_all()
    shown = await view.get(session, a.id)
    assert [f.name for f in shown.following] == ["b"]
    assert shown.followers == []
    await delete_many(session, Fan, [a.id])
    assert await session.scalar(select(func.count()).select_from(Ticket)) == 0


async def test_datetime_version_column(own_app: FastAPI) -> None:
    database: Database = own_app.state.database
    async with database.transaction() as session:
        show = Show(title="a")
        session.add(show)
    view = View(ShowVersion, Show)
    created = [await view.insert(database, {"title": str(n)}) for n in range(2)]
    assert created[0].version != created[1].version
    before = await view.get(database, show.id)
    after = await view.update(database, show.id, {"title": "b"})
    assert after.version > before.version
    async with database.transaction() as session:
        assert await update_many(session, Show, [show.id], {"title": "c"}) == 1
        again = await Shows(session).update(await Shows(session).get(show.id), {"title": "d"})
        assert again.version > after.version
        await upsert_many(session, Show, [{"title": "d"}, {"title": "e"}], by=["title"])
    async with database.transaction() as session:
        await copy_rows(session, Show, [{"title": "f"}])
        await insert_many(session, Show, [{"title": "g"}])
    async with database.transaction() as session:
        await Shows(session).delete(show.id)
    response = Response()
    EntityTag(response, None).set_header(again)
    EntityTag(response, response.headers["ETag"]).check(again)
    assert re.fullmatch(r'"[!#-~]+"', response.headers["ETag"])
    assert await view.list(database, view.select().where(Show.title == "d")) == []


class ShowVersion(ResponseModel):
    id: Any
    title: str
    version: datetime


class DeviceOut(ResponseModel):
    label: str
    json_: str = Field(validation_alias="json")
    address: Any
    ports: Any
    raw: bytes | None
    terms: str | None


async def test_single_table_inheritance_with_renamed_discriminator(session: AsyncSession) -> None:
    values = {
        "address": IPv4Interface("10.0.0.1/8"),
        "ports": Range(1, 5),
        "raw": b"\x00\xff",
        "label": "big box",
    }
    view = View(DeviceOut, Router)
    created = await view.insert(session, values | {"routes": {"a": [1]}})
    assert created.json_ == "router"
    await View(DeviceOut, Device).insert(session, values)
    await copy_rows(session, Router, [values])
    keys = await insert_returning(session, Router, [values])
    await insert_many(session, Device, [values])
    assert len(await view.list(session, view.select())) == 3
    everything = View(DeviceOut, Device)
    assert len(await everything.list(session, everything.select())) == 5
    assert (
        await update_where(session, Router, Router.label == "big box", values={"routes": {"b": 1}})
        == 3
    )
    changed = await Devices(session).update(
        await Devices(session).get(keys[0]), {"raw": b"x", "ports": Range(2, 3)}
    )
    assert isinstance(changed, Router)
    by = order_by(
        Device.address.desc().nulls_last(),
        Device.ports.asc().nulls_first(),
        Device.raw.asc().nulls_first(),
        tiebreaker=Device.id,
    )
    assert len(await all_pages(session, everything, by, limit=2)) == 5
    await delete_many(session, Router, keys)
    assert len(await view.list(session, view.select())) == 2


class RobotOut(ResponseModel):
    id: Any
    name: str
    power: int
    arms: int


async def test_joined_inheritance_over_three_tables_with_renamed_keys(
    session: AsyncSession,
) -> None:
    (key, other) = await insert_returning(
        session, Robot, [{"name": "r", "power": 3, "arms": 4}, {"name": "s", "power": 3, "arms": 5}]
    )
    await insert_many(session, Robot, [{"name": "t", "power": 1, "arms": 1}])
    session.expunge_all()
    view = View(RobotOut, Robot)
    assert (await view.get(session, key)).arms == 4
    assert (
        await update_many(
            session, Robot, [key], {"name": "x", "arms": 7, "power": Machine.power + 1}
        )
        == 1
    )
    shown = await view.get(session, key)
    assert (shown.name, shown.arms, shown.power) == ("x", 7, 4)
    changed = await Robots(session).update(await Robots(session).get(key), {"name": "y", "arms": 8})
    assert (changed.name, changed.arms) == ("y", 8)
    by = order_by(Robot.power.desc(), Robot.name.asc(), tiebreaker=Robot.id)
    rows = await all_pages(session, view, by, limit=2)
    assert [each.name for each in rows] == ["y", "s", "t"]
    shown_page = await view.page(
        session, PageQuery(limit=1, offset=1), view.select().order_by(Robot.arms)
    )
    assert (shown_page.total, shown_page.items[0].arms) == (3, 5)
    assert await delete_many(session, Machine, [key]) == 1
    await Robots(session).delete(other)
    session.expunge_all()
    assert len(await view.list(session, view.select())) == 1
    assert await Assets(session).count() == 1
    assert await Robots(session).get_many([key, other]) == []


async def test_citext_is_copied(own_app: FastAPI) -> None:
    database: Database = own_app.state.database
    model: Any = SortSample
    for _ in range(2):
        async with database.transaction() as session:
            assert await copy_rows(session, model, [{"email": "A@b.org"}, {"email": None}]) == 2
            stored = await session.scalars(
                select(SortSample.email).where(SortSample.email == "a@B.org")
            )
            assert set(stored) == {"A@b.org"}


async def test_copy_names_a_type_that_the_driver_cannot_encode(session: AsyncSession) -> None:
    model: Any = SortSample
    with pytest.raises(TypeError, match=r"no binary format encoder for type tsvector.*insert_many"):
        await copy_rows(session, model, [{"terms": "a"}])


async def test_overlap_with_an_existing_row_is_a_conflict(session: AsyncSession) -> None:
    session.add(Reservation(seats=Range(1, 4)))
    await session.flush()
    with pytest.raises(Conflict) as conflict:
        async with savepoint(session):
            session.add(Reservation(seats=Range(3, 5)))
    [problem] = conflict.value.errors
    assert problem == FieldProblem(field="seats", message="conflicts with an existing row")
