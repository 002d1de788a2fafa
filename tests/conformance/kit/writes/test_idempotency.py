"""Any endpoint can be one that may be repeated: a table for the answers, and `once`."""

from collections.abc import AsyncGenerator
from functools import partial
from typing import Annotated, Any

import pytest
from fastapi import FastAPI, Header, Request, Response
from httpx2 import AsyncClient
from pydantic import BaseModel, Field
from sqlalchemy import MetaData, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.schema import CreateTable

from app.kit.db.idempotency import KeptAnswer
from app.kit.db.session import Database
from app.kit.idempotency import Once, once, operation
from tests.conformance.conftest import Logged
from tests.rig.app import client_of

SECRET = "s3cret"
# As PostgreSQL would where two units of work cannot be put in a line.
LOSE = text("DO $$ BEGIN RAISE 'lost' USING ERRCODE = '40001'; END $$")


class Kept(KeptAnswer):
    """A table of the test's own: the service and its migrations know nothing of it."""

    __tablename__ = "kit_answers"
    metadata = MetaData()


class Note(BaseModel):
    """What is stored, and shown where it is not too long."""

    text: Annotated[str, Field(max_length=10)]


async def per_caller(request: Request, caller: Annotated[str, Header()] = "-") -> str:
    """What a team does whose clients log in."""
    return f"{await operation(request)} {caller}"


Repeatable = Annotated[Once, once(Kept)]
RepeatableByCaller = Annotated[Once, once(Kept, per_caller)]


@pytest.fixture
async def notes(own_app: FastAPI) -> AsyncGenerator[AsyncClient]:
    """A client of the service with endpoints that store notes."""
    database: Database = own_app.state.database
    async with database.transaction() as session:
        await session.execute(text("CREATE TABLE kit_notes (text text)"))
        await session.execute(CreateTable(Kept.metadata.tables["kit_answers"]))
    losses = iter([True, False])

    async def store(note: str, session: AsyncSession) -> dict[str, str]:
        await session.execute(text("INSERT INTO kit_notes VALUES (:note)"), {"note": note})
        return {"text": note}

    async def lose_once(note: str, session: AsyncSession) -> dict[str, str]:
        stored = await store(note, session)
        await session.execute(LOSE if next(losses) else text("SELECT 1"))
        return stored

    @own_app.post("/kit/notes/{note}", status_code=201, response_model=Note)
    async def write(note: str, once: Repeatable) -> Response:
        once.response.headers["ETag"] = f'"{note}"'
        return await once.do(partial(store, note))

    @own_app.post("/kit/callers/{note}", response_model=Note)
    async def write_of_caller(note: str, once: RepeatableByCaller) -> Response:
        return await once.do(partial(store, note))

    @own_app.post("/kit/races/{note}", response_model=Note)
    async def race(note: str, once: Repeatable) -> Response:
        return await once.do(partial(lose_once, note))

    async with client_of(own_app) as client:
        yield client


async def stored(app: FastAPI, table: str = "notes") -> int:
    """How many notes there are, or how many answers."""
    async with app.state.database.transaction() as session:
        found: int = await session.scalar(text(f"SELECT count(*) FROM kit_{table}"))
        return found


async def post(client: AsyncClient, path: str, key: str = "k", **headers: str) -> Any:
    """Ask with a key."""
    return await client.post(f"/kit{path}", headers={"Idempotency-Key": key, **headers})


async def test_the_whole_answer_is_repeated(notes: AsyncClient, own_app: FastAPI) -> None:
    first, again = [await post(notes, "/notes/a") for _ in range(2)]
    for answer in (first, again):
        assert (answer.status_code, answer.content) == (201, b'{"text":"a"}')
        assert (answer.headers["ETag"], answer.headers["Content-Type"]) == (
            '"a"',
            "application/json",
        )
    assert await stored(own_app) == 1


async def test_an_answer_with_a_key_is_the_one_without(notes: AsyncClient) -> None:
    with_key, without = await post(notes, "/notes/a"), await notes.post("/kit/notes/a")
    assert with_key.content == without.content
    for answer in (with_key, without):
        del answer.headers["X-Request-ID"]
    assert with_key.headers == without.headers


@pytest.mark.parametrize("other", ["/notes/b", "/notes/a?twice=1"])
async def test_a_path_and_a_query_are_parts_of_the_request(
    notes: AsyncClient, own_app: FastAPI, other: str
) -> None:
    await post(notes, "/notes/a")
    assert (await post(notes, other)).status_code == 422
    assert await stored(own_app) == 1


async def test_each_operation_and_each_caller_has_keys_of_its_own(
    notes: AsyncClient, own_app: FastAPI
) -> None:
    for _ in range(2):
        assert (await post(notes, "/notes/a")).json() == {"text": "a"}
        assert (await post(notes, "/callers/b", caller="ada")).json() == {"text": "b"}
        assert (await post(notes, "/callers/c", caller="bob")).json() == {"text": "c"}
    assert await stored(own_app) == 3


async def test_what_lost_a_race_is_done_again_with_its_key(
    notes: AsyncClient, own_app: FastAPI
) -> None:
    first, again = [await post(notes, "/races/a") for _ in range(2)]
    assert (first.status_code, again.status_code) == (200, 200)
    assert (await stored(own_app), await stored(own_app, "answers")) == (1, 1)


async def test_an_answer_that_is_not_valid_leaves_nothing_with_or_without_a_key(
    notes: AsyncClient, own_app: FastAPI, logged: Logged
) -> None:
    path = f"/notes/{SECRET * 2}"
    assert (await post(notes, path)).status_code == 500
    assert (await notes.post(f"/kit{path}")).status_code == 500
    assert (await stored(own_app), await stored(own_app, "answers")) == (0, 0)
    traces = [line["exception"] for line in logged() if "exception" in line]
    assert len(traces) == 2
    assert all("string_too_long" in trace and SECRET not in trace for trace in traces)


async def test_a_key_is_not_logged(notes: AsyncClient, logged: Logged) -> None:
    for path in ("/notes/a", "/notes/a", "/notes/b"):
        await post(notes, path, key=SECRET)
    assert len(logged()) >= 3
    assert SECRET not in str(logged())
