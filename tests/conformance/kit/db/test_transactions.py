"""Each request has one transaction, which commits before the response is sent."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Annotated

import pytest
from fastapi import BackgroundTasks, FastAPI
from httpx2 import AsyncClient
from pydantic import BaseModel, Field
from sqlalchemy import text
from sqlalchemy.exc import InvalidRequestError

from app.kit.db.session import Database
from app.kit.errors.problems import Conflict
from app.kit.http.dependencies import SessionDep
from tests.support.app import client_of

CREATE = text("CREATE TABLE kit_notes (number int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED)")
INSERT = text("INSERT INTO kit_notes VALUES (:number)")


@dataclass
class Note:
    number: int


class Positive(BaseModel):
    """A response model that rejects negative numbers."""

    number: Annotated[int, Field(gt=0)]


@pytest.fixture
async def notes(own_app: FastAPI) -> AsyncGenerator[AsyncClient]:
    """A client of the service with a table, and endpoints that write to it."""
    database: Database = own_app.state.database
    async with database.transaction() as session:
        await session.execute(CREATE)

    @own_app.post("/kit/notes/{number}", status_code=201, response_model=Positive)
    async def write(number: int, session: SessionDep, background: BackgroundTasks) -> Note:
        await session.execute(INSERT, {"number": number})
        background.add_task(seen.append, number)
        return Note(number)

    @own_app.post("/kit/conflict/{number}")
    async def refuse(number: int, session: SessionDep) -> None:
        await session.execute(INSERT, {"number": number})
        raise Conflict("No.")

    seen: list[int] = []
    own_app.state.seen = seen
    async with client_of(own_app) as client:
        yield client


async def stored(app: FastAPI) -> list[int]:
    """Return the committed rows."""
    async with app.state.database.transaction() as session:
        return list(await session.scalars(text("SELECT number FROM kit_notes ORDER BY number")))


async def test_acknowledged_write_is_committed(notes: AsyncClient, own_app: FastAPI) -> None:
    assert (await notes.post("/kit/notes/1")).status_code == 201
    assert await stored(own_app) == [1]


async def test_failed_commit_is_an_error_response(notes: AsyncClient, own_app: FastAPI) -> None:
    await notes.post("/kit/notes/1")
    # The constraint is deferred: the INSERT succeeds and the COMMIT fails.
    assert (await notes.post("/kit/notes/1")).status_code == 409
    assert await stored(own_app) == [1]


async def test_background_task_starts_after_commit(notes: AsyncClient, own_app: FastAPI) -> None:
    await notes.post("/kit/notes/1")
    await notes.post("/kit/notes/1")
    assert own_app.state.seen == [1]


async def test_error_after_a_write_rolls_back(notes: AsyncClient, own_app: FastAPI) -> None:
    assert (await notes.post("/kit/conflict/1")).status_code == 409
    assert await stored(own_app) == []


async def test_invalid_response_rolls_back(notes: AsyncClient, own_app: FastAPI) -> None:
    assert (await notes.post("/kit/notes/-1")).status_code == 500
    assert await stored(own_app) == []


async def test_transaction_outside_a_request_commits_or_rolls_back(
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


async def test_closed_session_cannot_be_used(own_app: FastAPI) -> None:
    database: Database = own_app.state.database
    async with database.transaction() as session:
        pass
    with pytest.raises(InvalidRequestError, match="closed"):
        await session.execute(text("SELECT 1"))
