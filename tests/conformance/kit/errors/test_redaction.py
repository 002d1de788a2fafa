"""Row values appear in exceptions and logs only if the settings allow it."""

import traceback

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from pydantic import BaseModel, ValidationError
from sqlalchemy import URL, text
from sqlalchemy.exc import DBAPIError

from app.about import NAME
from app.kit.db.session import Database
from app.kit.http.dependencies import SessionDep
from tests.conformance.conftest import ReadLog
from tests.support.database import settings_with

SECRET = "s3cret"
CREATE = text("CREATE TABLE kit_notes (name text UNIQUE, size int CHECK (size > 0))")
FAULTS = {
    "unique violation": (text("INSERT INTO kit_notes VALUES (:value, 1)"), SECRET),
    "check violation": (text("INSERT INTO kit_notes VALUES (:value, -1)"), f"{SECRET} too"),
    "malformed for PostgreSQL": (text("SELECT CAST(CAST(:value AS text) AS date)"), SECRET),
    "malformed for the driver": (text("SELECT * FROM kit_notes WHERE size = :value"), SECRET),
}


async def trace_of(fault: str, url: URL, **settings: object) -> str:
    """Return the traceback of a fault, as a log contains it."""
    database = Database.open(settings_with(url, **settings).database, NAME)
    statement, value = FAULTS[fault]
    async with database.transaction() as session:
        await session.execute(CREATE)
        await session.execute(text("INSERT INTO kit_notes VALUES (:value, 1)"), {"value": SECRET})
    with pytest.raises(DBAPIError) as caught:
        async with database.transaction() as session:
            await session.execute(statement, {"value": value})
    await database.close()
    return "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("fault", FAULTS)
async def test_traceback_contains_statement_but_no_values(
    fault: str, own_database_url: URL
) -> None:
    trace = await trace_of(fault, own_database_url)
    assert SECRET not in trace
    assert "kit_notes" in trace or "date" in trace


@pytest.mark.parametrize("fault", FAULTS)
async def test_values_can_be_enabled_in_settings(fault: str, own_database_url: URL) -> None:
    assert SECRET in await trace_of(fault, own_database_url, hide_parameters=False)


async def test_programming_error_logs_no_values(
    own_app: FastAPI, committing_client: AsyncClient, read_log: ReadLog
) -> None:
    @own_app.get("/kit/faulty/{value}")
    async def faulty(value: str, session: SessionDep) -> None:
        wrong = text("SELECT missing FROM kit_notes WHERE name = :value")
        await session.execute(wrong, {"value": value})

    async with own_app.state.database.transaction() as session:
        await session.execute(CREATE)
    # The access log contains the path with the value; only the traceback matters here.
    assert (await committing_client.get(f"/kit/faulty/{SECRET}")).status_code == 500
    (trace,) = [line["exception"] for line in read_log() if "exception" in line]
    assert SECRET not in trace


class Size(BaseModel):
    """A response model that the row does not match."""

    size: int


async def test_invalid_row_is_logged_without_its_values(
    own_app: FastAPI, committing_client: AsyncClient, read_log: ReadLog
) -> None:
    @own_app.get("/kit/answer", response_model=Size)
    async def as_response_model() -> dict[str, str]:
        return {"size": SECRET}

    @own_app.get("/kit/within")
    async def in_endpoint() -> Size:
        return Size.model_validate({"size": SECRET})

    @own_app.get("/kit/cause")
    async def as_cause() -> None:
        try:
            await in_endpoint()
        except ValidationError as error:
            raise RuntimeError("unreadable row") from error

    @own_app.get("/kit/context")
    async def while_handled() -> None:
        try:
            await in_endpoint()
        except ValidationError:
            raise RuntimeError("unreadable row")  # noqa: B904

    # Not a failing task group: in Python 3.11, it leaves the task of all tests marked as cancelled.
    @own_app.get("/kit/group")
    async def in_group() -> None:
        try:
            await in_endpoint()
        except ValidationError as error:
            raise ExceptionGroup("unreadable rows", [RuntimeError(), error]) from None

    @own_app.get("/kit/cycle")
    async def in_cycle() -> None:
        try:
            await in_group()
        except ExceptionGroup as group:
            raise group.exceptions[0] from group

    places = ["answer", "within", "cause", "context", "group", "cycle"]
    for place in places:
        response = await committing_client.get(f"/kit/{place}")
        assert response.status_code == 500
        assert SECRET not in response.text
    traces = [line["exception"] for line in read_log() if "exception" in line]
    assert ["size (int_parsing)" in trace for trace in traces] == [True] * len(places)
    assert SECRET not in str(read_log())


async def test_statements_are_logged_without_values(
    own_database_url: URL, read_log: ReadLog
) -> None:
    for setting in ("echo", "echo_pool"):
        settings = settings_with(own_database_url, **{setting: True})
        database = Database.open(settings.database, NAME)
        async with database.transaction() as session:
            await session.execute(text("SELECT CAST(:value AS text)"), {"value": SECRET})
        await database.close()
    assert SECRET not in str(read_log())
