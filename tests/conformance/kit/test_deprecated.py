"""Deprecated names work until they go, with a warning that names their replacement."""

# pyright: reportDeprecated=false

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, cast

import pytest
from fastapi import FastAPI
from pydantic import BaseModel
from sqlalchemy import URL, bindparam, select

from app.kit.application import Application
from app.kit.db.compiled import compile_read, compile_returning
from app.kit.db.hot import Hot, HotGet, HotJson, HotReads, HotSelect, HotStatement, hot_reads
from app.kit.db.hot_writes import HotInsert, HotWrite, HotWrites, hot_writes
from app.kit.db.json import json_list
from app.kit.db.projection import Projection
from app.kit.db.session import Database
from app.kit.local_postgres import PostgresUnavailable, development, throwaway
from app.kit.routing import FeatureRouter
from app.main import create_app
from tests.conformance.support.simple_models import Own, Thing
from tests.rig.app import client_of, running
from tests.rig.database import settings_with


class New(BaseModel):
    number: int
    name: str


class Out(New):
    seen: int


@pytest.fixture
async def served(direct_url: URL) -> AsyncGenerator[FastAPI]:
    """The service with a table of one row, and endpoints with deprecated dependencies."""
    app = create_app(settings_with(direct_url, pooler="none"))
    with pytest.deprecated_call():
        things, insert = HotSelect(select(Thing.number, Thing.name, Thing.seen), Out), inserts()

    @app.get("/kit/things")
    async def read(hot: Hot) -> list[Out]:
        return await things.all(hot)

    @app.post("/kit/things")
    async def write(new: New, hot: HotWrite) -> Out:
        return await insert.create(hot, new)

    async with running(app):
        async with app.state.database.transaction() as session:
            await (await session.connection()).run_sync(Own.metadata.create_all)
            session.add(Thing(number=1, name="a"))
        yield app


def inserts() -> HotInsert[Out]:
    """The insert of a thing."""
    with pytest.deprecated_call(match="use View.insert"):
        return HotInsert(Thing, New, Out)


async def test_endpoints_read_and_write_with_deprecated_dependencies(served: FastAPI) -> None:
    async with client_of(served) as client:
        created = (await client.post("/kit/things", json={"number": 2, "name": "b"})).json()
        assert created == {"number": 2, "name": "b", "seen": 0}
        assert created in (await client.get("/kit/things")).json()


async def test_deprecated_reads_warn_and_work(served: FastAPI) -> None:
    database: Database = served.state.database
    with pytest.deprecated_call(match="use app.kit.queries.view.View"):
        reads = HotReads(database)
    statement = select(Thing.number).where(Thing.number == bindparam("key"))
    with pytest.deprecated_call(match="it goes in 0.7.0"):
        assert await HotStatement(statement).rows(reads, {"key": 1}) == [{"number": 1}]
    with pytest.deprecated_call(match="use View.get"):
        get = HotGet(cast("Any", Thing), Out)
    # A key of another type than those of the service.
    assert await get.first(reads, key=1) == Out(number=1, name="a", seen=0)
    with pytest.raises(TypeError, match="'key'"):
        await get.all(reads)
    with pytest.deprecated_call(match="use View.list"):
        document = HotJson(json_list(select(Thing.number)))
    assert (await document.answer(reads)).body == b'[{"number":1}]'
    with pytest.deprecated_call():
        projection = Projection(Out, Thing)
    async with database.reading() as session:
        assert list(await session.scalars(projection.select())) == [Out(number=1, name="a", seen=0)]


async def test_deprecated_functions_warn(served: FastAPI) -> None:
    dialect = served.state.database.engine.dialect
    several = select(Thing.number).where(Thing.number.in_(bindparam("numbers", expanding=True)))
    with pytest.deprecated_call(), pytest.raises(TypeError, match="any_"):
        compile_read(several, dialect)
    with pytest.deprecated_call():
        compiled = compile_returning(select(Thing.number), {"n": Thing.number}, dialect)
    assert compiled.rows([[1]]) == [{"n": 1}]
    for dependency in (hot_reads, hot_writes, HotWrites):
        assert "it goes in 0.7.0" in getattr(dependency, "__deprecated__", "")


async def test_deprecated_router_warns_and_works() -> None:
    with pytest.deprecated_call(match="use fastapi.APIRouter"):
        router = FeatureRouter(prefix="/apples")

    @router.get("/{number}")
    async def read_apple(number: int) -> int:
        return number

    app = Application()
    app.include_router(router)
    async with client_of(app) as client:
        assert (await client.get("/apples/7")).json() == 7


def test_deprecated_functions_start_the_local_postgres(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PG_BINDIR", str(tmp_path))  # they reach the search for PostgreSQL
    with pytest.raises(PostgresUnavailable):
        throwaway()
    with pytest.raises(PostgresUnavailable):
        development(tmp_path)
