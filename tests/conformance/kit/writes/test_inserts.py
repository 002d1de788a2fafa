"""An INSERT by a view stores and rejects what a session would."""

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from pydantic import BaseModel, ConfigDict
from sqlalchemy import URL, select, text

from app.kit.db.session import Database, DatabaseDep, SessionDep
from app.kit.queries.view import View
from app.main import create_app
from tests.conformance.support.things import Kind, Own, Thing
from tests.rig.app import running
from tests.rig.database import settings_with
from tests.rig.statements import counting


class New(BaseModel):
    number: int
    name: str


class NewOfKind(New):
    kind: Kind


class Out(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    number: int
    name: str
    kind: Kind
    made_at: datetime
    seen: int
    place: str


THINGS = View(Out, Thing)


@pytest.fixture(params=["none", "pgbouncer"])
async def served(direct_url: URL, request: pytest.FixtureRequest) -> AsyncGenerator[FastAPI]:
    """The service with a table, and a route for each way to write to it."""
    app = create_app(settings_with(direct_url, pooler=request.param, lock_timeout=0.1))

    @app.post("/kit/view", status_code=201)
    async def short(new: New, db: DatabaseDep) -> Out:
        return await THINGS.insert(db, new)

    @app.post("/kit/session", status_code=201, response_model=Out)
    async def ordinary(new: New, session: SessionDep) -> Thing:
        session.add(thing := Thing(number=new.number, name=new.name))
        await session.flush()
        return thing

    async with running(app):
        async with app.state.database.transaction() as session:
            await (await session.connection()).run_sync(Own.metadata.create_all)
        yield app


async def rows(app: FastAPI) -> list[Any]:
    """What others see of the table."""
    database: Database = app.state.database
    async with database.reading(fresh=True) as session:
        return list(await session.scalars(select(Thing).order_by(Thing.number)))


async def test_it_stores_and_answers_what_a_session_would(
    caller: AsyncClient, served: FastAPI
) -> None:
    short = await caller.post("/kit/view", json={"number": 1, "name": "a"})
    ordinary = await caller.post("/kit/session", json={"number": 2, "name": "b"})
    assert (short.status_code, ordinary.status_code) == (201, 201)
    its_own = ("number", "name", "made_at")
    first, second = [
        {name: value for name, value in answer.json().items() if name not in its_own}
        for answer in (short, ordinary)
    ]
    assert first == second == {"kind": "flat", "seen": 0, "place": "here"}
    stored = [Out.model_validate(row).model_dump(mode="json") for row in await rows(served)]
    assert stored == [short.json(), ordinary.json()]


async def test_what_is_given_comes_before_a_default(served: FastAPI) -> None:
    new = NewOfKind(number=1, name="a", kind=Kind.ROUND)
    assert (await THINGS.insert(served.state.database, new)).kind is Kind.ROUND
    assert [row.kind for row in await rows(served)] == [Kind.ROUND]


@pytest.mark.parametrize(("name", "status"), [("taken", 409), ("longer than ten", 422)])
async def test_what_a_session_refuses_it_refuses_alike(
    caller: AsyncClient, served: FastAPI, name: str, status: int
) -> None:
    await caller.post("/kit/view", json={"number": 1, "name": "taken"})
    answers = [
        await caller.post(f"/kit/{way}", json={"number": 2, "name": name})
        for way in ("view", "session")
    ]
    assert [answer.status_code for answer in answers] == [status, status]
    told = [{**answer.json(), "request_id": None} for answer in answers]
    assert told[0] == told[1]
    assert len(await rows(served)) == 1


@pytest.mark.parametrize("served", ["none"], indirect=True)
async def test_who_waits_too_long_for_a_lock_has_stored_nothing(
    caller: AsyncClient, served: FastAPI
) -> None:
    async with served.state.database.transaction() as session:
        await session.execute(text("LOCK TABLE kit_things"))
        late = await caller.post("/kit/view", json={"number": 1, "name": "a"})
    assert (late.status_code, late.headers["Retry-After"]) == (503, "1")
    assert await rows(served) == []
    assert (await caller.post("/kit/view", json={"number": 1, "name": "a"})).status_code == 201


async def test_whoever_listens_to_statements_hears_of_it(served: FastAPI) -> None:
    database: Database = served.state.database
    with counting(database.engine) as statements:
        await THINGS.insert(database, New(number=1, name="a"))
    statements.assert_count(1)
