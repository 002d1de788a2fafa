"""Any endpoint can be idempotent: it needs a table for responses and `idempotent`."""

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

from app.kit.db.session import Database
from app.kit.writes.idempotency import (
    IdempotencyRecord,
    IdempotentRequest,
    idempotent,
    operation_scope,
)
from tests.conformance.conftest import ReadLog
from tests.support.app import client_of

SECRET = "s3cret"
# Raises the SQLSTATE of a serialization failure.
FAIL_SERIALIZATION = text("DO $$ BEGIN RAISE 'lost' USING ERRCODE = '40001'; END $$")


class StoredResponse(IdempotencyRecord):
    """A table of this test, outside the service's migrations."""

    __tablename__ = "kit_responses"
    metadata = MetaData()


class Note(BaseModel):
    """The stored and returned note; a long text is invalid."""

    text: Annotated[str, Field(max_length=10)]


class SignedNote(Note):
    """A note with an optional author."""

    author: str | None = None


async def per_caller(request: Request, caller: Annotated[str, Header()] = "-") -> str:
    """Return a key scope per caller, as a team with authentication would."""
    return f"{await operation_scope(request)} {caller}"


Repeatable = Annotated[IdempotentRequest, idempotent(StoredResponse)]
RepeatableByCaller = Annotated[IdempotentRequest, idempotent(StoredResponse, per_caller)]


@pytest.fixture
async def notes(own_app: FastAPI) -> AsyncGenerator[AsyncClient]:
    """A client of the service with endpoints that store notes."""
    database: Database = own_app.state.database
    async with database.transaction() as session:
        await session.execute(text("CREATE TABLE kit_notes (text text)"))
        await session.execute(CreateTable(StoredResponse.metadata.tables["kit_responses"]))
    failures = iter([True, False])

    async def store(note: str, session: AsyncSession) -> dict[str, str]:
        await session.execute(text("INSERT INTO kit_notes VALUES (:note)"), {"note": note})
        return {"text": note}

    async def fail_once(note: str, session: AsyncSession) -> dict[str, str]:
        stored = await store(note, session)
        await session.execute(FAIL_SERIALIZATION if next(failures) else text("SELECT 1"))
        return stored

    @own_app.post("/kit/notes/{note}", status_code=201, response_model=Note)
    async def write(note: str, idempotency: Repeatable) -> Response:
        idempotency.response.headers["ETag"] = f'"{note}"'
        for name in ("one", "two"):
            idempotency.response.set_cookie(name, note)
        return await idempotency.run(partial(store, note))

    @own_app.post("/kit/callers/{note}", response_model=Note)
    async def write_of_caller(note: str, idempotency: RepeatableByCaller) -> Response:
        return await idempotency.run(partial(store, note))

    @own_app.post("/kit/plain/{note}")
    async def write_without_model(note: str, idempotency: Repeatable) -> Response:
        return await idempotency.run(partial(store, note))

    @own_app.post("/kit/brief/{note}", response_model=SignedNote, response_model_exclude_none=True)
    async def write_briefly(note: str, idempotency: Repeatable) -> Response:
        return await idempotency.run(partial(store, note))

    @own_app.post("/kit/races/{note}", response_model=Note)
    async def race(note: str, idempotency: Repeatable) -> Response:
        return await idempotency.run(partial(fail_once, note))

    @own_app.put("/kit/empty/{note}", status_code=204)
    async def write_without_response(note: str, idempotency: Repeatable) -> Response:
        return await idempotency.run(partial(store, note))

    async with client_of(own_app) as client:
        yield client


async def stored(app: FastAPI, table: str = "notes") -> int:
    """Return the number of notes or of stored responses."""
    async with app.state.database.transaction() as session:
        found: int = await session.scalar(text(f"SELECT count(*) FROM kit_{table}"))
        return found


async def post(client: AsyncClient, path: str, key: str = "k", **headers: str) -> Any:
    """Send a request with an idempotency key."""
    return await client.post(f"/kit{path}", headers={"Idempotency-Key": key, **headers})


async def test_complete_response_is_replayed(notes: AsyncClient, own_app: FastAPI) -> None:
    first, again = [await post(notes, "/notes/a") for _ in range(2)]
    for response in (first, again):
        assert (response.status_code, response.content) == (201, b'{"text":"a"}')
        assert (response.headers["ETag"], response.headers["Content-Type"]) == (
            '"a"',
            "application/json",
        )
        cookies = response.headers.get_list("Set-Cookie")
        assert [each.partition(";")[0] for each in cookies] == ["one=a", "two=a"]
    assert await stored(own_app) == 1


async def test_response_with_status_204_has_no_body(notes: AsyncClient) -> None:
    headers = {"Idempotency-Key": "k"}
    responses = [await notes.put("/kit/empty/a", headers=headers) for _ in range(2)]
    assert [each.headers.get("Idempotent-Replayed") for each in responses] == [None, "true"]
    for response in responses:
        assert (response.status_code, response.content) == (204, b"")
        assert "Content-Type" not in response.headers


@pytest.mark.parametrize("path", ["/brief/a", "/plain/a"])
async def test_response_model_and_its_options_are_those_of_the_route(
    notes: AsyncClient, path: str
) -> None:
    first, again = [await post(notes, path) for _ in range(2)]
    assert first.json() == again.json() == {"text": "a"}


async def test_key_does_not_change_the_response(notes: AsyncClient) -> None:
    with_key, without = await post(notes, "/notes/a"), await notes.post("/kit/notes/a")
    assert with_key.content == without.content
    for response in (with_key, without):
        del response.headers["X-Request-ID"]
    assert with_key.headers == without.headers


@pytest.mark.parametrize("other", ["/notes/b", "/notes/a?twice=1"])
async def test_path_and_query_are_part_of_the_request(
    notes: AsyncClient, own_app: FastAPI, other: str
) -> None:
    await post(notes, "/notes/a")
    assert (await post(notes, other)).status_code == 422
    assert await stored(own_app) == 1


async def test_keys_are_scoped_by_operation_and_caller(
    notes: AsyncClient, own_app: FastAPI
) -> None:
    for _ in range(2):
        assert (await post(notes, "/notes/a")).json() == {"text": "a"}
        assert (await post(notes, "/callers/b", caller="ada")).json() == {"text": "b"}
        assert (await post(notes, "/callers/c", caller="bob")).json() == {"text": "c"}
    assert await stored(own_app) == 3


async def test_retry_after_serialization_failure_keeps_the_key(
    notes: AsyncClient, own_app: FastAPI
) -> None:
    first, again = [await post(notes, "/races/a") for _ in range(2)]
    assert (first.status_code, again.status_code) == (200, 200)
    assert (await stored(own_app), await stored(own_app, "responses")) == (1, 1)


async def test_invalid_response_stores_nothing_with_or_without_key(
    notes: AsyncClient, own_app: FastAPI, read_log: ReadLog
) -> None:
    path = f"/notes/{SECRET * 2}"
    assert (await post(notes, path)).status_code == 500
    assert (await notes.post(f"/kit{path}")).status_code == 500
    assert (await stored(own_app), await stored(own_app, "responses")) == (0, 0)
    traces = [line["exception"] for line in read_log() if "exception" in line]
    assert len(traces) == 2
    assert all("string_too_long" in trace and SECRET not in trace for trace in traces)


async def test_key_is_not_logged(notes: AsyncClient, read_log: ReadLog) -> None:
    for path in ("/notes/a", "/notes/a", "/notes/b"):
        await post(notes, path, key=SECRET)
    assert len(read_log()) >= 3
    assert SECRET not in str(read_log())
