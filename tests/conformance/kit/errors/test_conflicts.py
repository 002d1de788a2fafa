"""Database errors are mapped by SQLSTATE and constraint name, never by their message."""

import json
from collections.abc import AsyncGenerator, Generator
from typing import Any
from urllib.parse import quote

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy import (
    URL,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Integer,
    String,
    Table,
    func,
    insert,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONPATH

from app.kit.db.base import Base
from app.kit.db.session import Database
from app.kit.http.dependencies import ReadSessionDep, SessionDep
from app.main import create_app
from tests.conformance.conftest import ReadLog
from tests.support.app import client_of, running
from tests.support.database import settings_with

RAISE = "DO $$ BEGIN RAISE '{message}' USING ERRCODE = '{code}'; END $$"


@pytest.fixture
def rooms() -> Generator[Table]:
    """A table that is in the service's metadata during the test."""
    table = Table(
        "kit_rooms",
        Base.metadata,
        Column("number", Integer, primary_key=True),
        Column("name", String(5), unique=True),
        Column("size", Integer, nullable=False),
        Column("made_at", DateTime(timezone=True), default=func.now()),
        Column("filter", JSONPATH),
        Column("next_to", Integer, ForeignKey("kit_rooms.number", ondelete="RESTRICT")),
        CheckConstraint("size > 0", name="size_is_positive"),
    )
    yield table
    Base.metadata.remove(table)


@pytest.fixture
async def module_client(own_app: FastAPI, rooms: Table) -> AsyncGenerator[AsyncClient]:
    """A client of a service with two rooms, and endpoints that violate constraints."""
    database: Database = own_app.state.database
    async with database.transaction() as session:
        await (await session.connection()).run_sync(rooms.create)
        await session.execute(insert(rooms).values(number=1, name="red", size=1))
        await session.execute(insert(rooms).values(number=2, size=1, next_to=1))

    @own_app.post("/kit/rooms")
    async def create_room(row: dict[str, Any], session: SessionDep) -> None:
        await session.execute(insert(rooms).values(row))

    @own_app.post("/kit/rooms/returned")
    async def create_and_return_room(row: dict[str, Any], session: SessionDep) -> None:
        inserted = insert(rooms).values(row).returning(rooms.c.number).cte("inserted")
        await session.execute(select(inserted))

    @own_app.get("/kit/cast/{kind}/{value}")
    async def cast(kind: str, value: str, session: SessionDep) -> None:
        await session.execute(text(f"SELECT CAST(:value AS {kind})"), {"value": value})

    @own_app.delete("/kit/rooms/{number}")
    async def delete_room(number: int, session: SessionDep) -> None:
        await session.execute(rooms.delete().where(rooms.c.number == number))

    @own_app.post("/kit/raise/{code}")
    async def fail(code: str, session: SessionDep, message: str = "No.") -> None:
        await session.execute(text(RAISE.format(code=code, message=message)))

    async with client_of(own_app) as client:
        yield client


@pytest.mark.parametrize(
    ("row", "status", "field"),
    [
        ({"number": 3, "name": "red", "size": 1}, 409, "name"),
        ({"number": 1, "size": 1}, 409, "number"),
        ({"number": 3, "size": 1, "next_to": 9}, 409, "next_to"),
        ({"number": 3, "size": 0}, 422, "size"),
        ({"number": 3}, 422, "size"),
    ],
)
async def test_violated_constraint_is_reported_by_field(
    module_client: AsyncClient, row: dict[str, Any], status: int, field: str
) -> None:
    response = await module_client.post("/kit/rooms", json=row)
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"
    assert [error["field"] for error in response.json()["errors"]] == [f"body.{field}"]


async def test_referenced_row_cannot_be_deleted(module_client: AsyncClient) -> None:
    assert (await module_client.delete("/kit/rooms/1")).status_code == 409


async def test_value_too_long_for_its_column_is_invalid(module_client: AsyncClient) -> None:
    row = {"number": 3, "name": "orange", "size": 1}
    assert (await module_client.post("/kit/rooms", json=row)).status_code == 422


@pytest.mark.parametrize("path", ["/kit/rooms", "/kit/rooms/returned"])
async def test_value_with_invalid_syntax_is_reported_by_field(
    module_client: AsyncClient, path: str
) -> None:
    row = {"number": 3, "size": 1, "filter": "$.x ("}
    response = await module_client.post(path, json=row)
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == ["body.filter"]


@pytest.mark.parametrize("kind", ["ltree", "lquery", "tsquery", "jsonpath"])
async def test_syntax_error_of_a_value_is_invalid_and_of_a_statement_is_a_bug(
    own_app: FastAPI, module_client: AsyncClient, kind: str
) -> None:
    database: Database = own_app.state.database
    async with database.transaction() as session:
        await session.execute(text("CREATE EXTENSION IF NOT EXISTS ltree"))
    assert (await module_client.get(f"/kit/cast/{kind}/a b")).status_code == 422
    for statement in (f"{kind}) FORM x --", f"text), CAST('a b' AS {kind}) --"):
        path = quote(statement)
        assert (await module_client.get(f"/kit/cast/{path}/a b")).status_code == 500


@pytest.mark.parametrize(
    "code",
    ["25006", "40001", "40P01", "53100", "53200", "53300", "55P03", "57014", "57P01", "08006"],
)
async def test_transient_error_is_a_503_with_retry_after_and_one_reason_in_the_log(
    module_client: AsyncClient, read_log: ReadLog, code: str
) -> None:
    response = await module_client.post(f"/kit/raise/{code}", params={"message": "Disk full."})
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "1"

    (warning,) = [event for event in read_log() if event["level"] != "info"]
    assert warning["event"] == "request failed"
    assert warning["reason"] == response.json()["detail"]
    assert warning["cause"].endswith("Error: Disk full.")
    assert warning["request_id"] == response.headers["X-Request-ID"]


async def test_reason_of_an_unreachable_database_is_logged_once_per_request(
    own_database_url: URL, capsys: pytest.CaptureFixture[str]
) -> None:
    unreachable = own_database_url.set(host="127.0.0.1", port=1, query={"ssl": "disable"})
    app = create_app(settings_with(unreachable, pooler="none"))

    @app.get("/kit/read")
    async def read(session: ReadSessionDep) -> None:
        await session.execute(text("SELECT 1"))

    async with running(app), client_of(app) as client:
        capsys.readouterr()
        responses = [await client.get(path) for path in ("/kit/read", "/health/ready")]
        assert [each.status_code for each in responses] == [503, 503]
        events = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    warnings = [event for event in events if event["level"] != "info"]
    assert [each["event"] for each in warnings] == ["request failed"] * 2
    assert [each["reason"] for each in warnings] == [each.json()["detail"] for each in responses]
    assert "ConnectionRefusedError" in warnings[0]["cause"]


async def test_error_message_is_not_parsed(module_client: AsyncClient) -> None:
    message = 'duplicate key value violates unique constraint "uq_kit_rooms_name"'
    response = await module_client.post("/kit/raise/XX000", params={"message": message})
    assert response.status_code == 500
    assert "duplicate" not in response.text
    assert "errors" not in response.json()
