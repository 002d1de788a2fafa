"""One request, one transaction, committed before the response leaves."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Annotated

import pytest
from fastapi import BackgroundTasks, FastAPI
from httpx2 import AsyncClient
from pydantic import BaseModel, Field
from sqlalchemy import text
from sqlalchemy.exc import InvalidRequestError

from app.kit.db.session import Database, SessionDep
from app.kit.errors import Conflict
from tests.rig.app import client_of

CREATE = text("CREATE TABLE kit_notes (number int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED)")
INSERT = text("INSERT INTO kit_notes VALUES (:number)")


@dataclass
class Note:
    number: int


class Positive(BaseModel):
    """A response that a negative number breaks."""

    number: Annotated[int, Field(gt=0)]


@pytest.fixture
async def notes(own_app: FastAPI) -> AsyncGenerator[AsyncClient]:
    """A client of the service with a table of its own and routes that write to it."""
    database: Database = own_app.state.database
    async with database.transaction() as session:
        await session.execute(CREATE)

    @own_app.post("/kit/notes/{number}", status_code=201, response_model=Positive)
    async def write(number: int, session: SessionDep, background: BackgroundTasks) -> Note:
        await session.execute(INSERT, {"number": number})
        background.add_task(seen.append, number)
        return Note(number)

    @own_app.post("/kit/refused/{number}")
    async def refuse(number: int, session: SessionDep) -> None:
        await session.execute(INSERT, {"number": number})
        raise Conflict("No.")

    seen: list[int] = []
    own_app.state.seen = seen
    async with client_of(own_app) as client:
        yield client


async def stored(app: FastAPI) -> list[int]:
    """What another transaction can see."""
    async with app.state.database.transaction() as session:
        return list(await session.scalars(text("SELECT number FROM kit_notes ORDER BY number")))


async def test_what_was_acknowledged_is_stored(notes: AsyncClient, own_app: FastAPI) -> None:
    assert (await notes.post("/kit/notes/1")).status_code == 201
    assert await stored(own_app) == [1]


async def test_a_commit_that_fails_is_an_error_for_the_client(
    notes: AsyncClient, own_app: FastAPI
) -> None:
    await notes.post("/kit/notes/1")
    # The constraint is deferred: the INSERT succeeds, the COMMIT does not.
    assert (await notes.post("/kit/notes/1")).status_code == 409
    assert await stored(own_app) == [1]


async def test_work_in_the_background_begins_after_the_commit(
    notes: AsyncClient, own_app: FastAPI
) -> None:
    await notes.post("/kit/notes/1")
    await notes.post("/kit/notes/1")
    assert own_app.state.seen == [1]


async def test_an_error_after_a_write_leaves_nothing(notes: AsyncClient, own_app: FastAPI) -> None:
    assert (await notes.post("/kit/refused/1")).status_code == 409
    assert await stored(own_app) == []


async def test_a_response_that_is_not_valid_leaves_nothing(
    notes: AsyncClient, own_app: FastAPI
) -> None:
    assert (await notes.post("/kit/notes/-1")).status_code == 500
    assert await stored(own_app) == []


async def test_outside_a_request_a_transaction_is_the_same(
    notes: AsyncClient, own_app: FastAPI
) -> None:
    database: Database = own_app.state.database

    async def write(number: int, *, then: int) -> None:
        async with database.transaction() as session:
            await session.execute(INSERT, {"number": number})
            assert 1 / then

    with pytest.raises(ZeroDivisionError):
        await write(1, then=0)
    await write(2, then=1)
    assert await stored(own_app) == [2]


async def test_a_session_that_was_closed_does_not_come_back(own_app: FastAPI) -> None:
    database: Database = own_app.state.database
    async with database.transaction() as session:
        pass
    with pytest.raises(InvalidRequestError, match="closed"):
        await session.execute(text("SELECT 1"))
