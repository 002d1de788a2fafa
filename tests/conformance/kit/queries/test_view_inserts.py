"""An INSERT by a view stores and rejects the same rows as a session."""

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from pydantic import BaseModel, ConfigDict
from sqlalchemy import URL, select, text

from app.kit.db.session import Database
from app.kit.http.dependencies import DatabaseDep, SessionDep
from app.kit.queries.view import View
from app.main import create_app
from tests.conformance.support.simple_models import Kind, Own, Thing
from tests.support.app import running
from tests.support.database import settings_with
from tests.support.statements import counting


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
async def module_app(unpooled_url: URL, request: pytest.FixtureRequest) -> AsyncGenerator[FastAPI]:
    """The service with a table, and an endpoint for each way to write to it."""
    app = create_app(settings_with(unpooled_url, pooler=request.param, lock_timeout=0.1))

    @app.post("/kit/view", status_code=201)
    async def by_view(new: New, db: DatabaseDep) -> Out:
        return await THINGS.insert(db, new)

    @app.post("/kit/session", status_code=201, response_model=Out)
    async def by_session(new: New, session: SessionDep) -> Thing:
        session.add(thing := Thing(number=new.number, name=new.name))
        await session.flush()
        return thing

    async with running(app):
        async with app.state.database.transaction() as session:
            await (await session.connection()).run_sync(Own.metadata.create_all)
        yield app


async def rows(app: FastAPI) -> list[Any]:
    """Return the committed rows."""
    database: Database = app.state.database
    async with database.reading() as session:
        return list(await session.scalars(select(Thing).order_by(Thing.number)))


async def test_view_stores_and_returns_the_same_as_a_session(
    module_client: AsyncClient, module_app: FastAPI
) -> None:
    by_view = await module_client.post("/kit/view", json={"number": 1, "name": "a"})
    by_session = await module_client.post("/kit/session", json={"number": 2, "name": "b"})
    assert (by_view.status_code, by_session.status_code) == (201, 201)
    individual = ("number", "name", "made_at")
    first, second = [
        {name: value for name, value in response.json().items() if name not in individual}
        for response in (by_view, by_session)
    ]
    assert first == second == {"kind": "flat", "seen": 0, "place": "here"}
    stored = [Out.model_validate(row).model_dump(mode="json") for row in await rows(module_app)]
    assert stored == [by_view.json(), by_session.json()]


async def test_given_value_overrides_default(module_app: FastAPI) -> None:
    new = NewOfKind(number=1, name="a", kind=Kind.ROUND)
    assert (await THINGS.insert(module_app.state.database, new)).kind is Kind.ROUND
    assert [row.kind for row in await rows(module_app)] == [Kind.ROUND]


@pytest.mark.parametrize(("name", "status"), [("taken", 409), ("longer than ten", 422)])
async def test_view_rejects_the_same_rows_as_a_session(
    module_client: AsyncClient, module_app: FastAPI, name: str, status: int
) -> None:
    await module_client.post("/kit/view", json={"number": 1, "name": "taken"})
    responses = [
        await module_client.post(f"/kit/{path}", json={"number": 2, "name": name})
        for path in ("view", "session")
    ]
    assert [response.status_code for response in responses] == [status, status]
    bodies = [{**response.json(), "request_id": None} for response in responses]
    assert bodies[0] == bodies[1]
    assert len(await rows(module_app)) == 1


@pytest.mark.parametrize("module_app", ["none"], indirect=True)
async def test_lock_timeout_stores_nothing(module_client: AsyncClient, module_app: FastAPI) -> None:
    async with module_app.state.database.transaction() as session:
        await session.execute(text("LOCK TABLE kit_things"))
        late = await module_client.post("/kit/view", json={"number": 1, "name": "a"})
    assert (late.status_code, late.headers["Retry-After"]) == (503, "1")
    assert await rows(module_app) == []
    assert (
        await module_client.post("/kit/view", json={"number": 1, "name": "a"})
    ).status_code == 201


async def test_event_listeners_receive_the_statement(module_app: FastAPI) -> None:
    database: Database = module_app.state.database
    with counting(database.engine) as statements:
        await THINGS.insert(database, New(number=1, name="a"))
    statements.assert_count(1)
