"""Statements sent directly to the driver are as safe as those of a session."""

import asyncio
import traceback
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from pydantic import BaseModel
from sqlalchemy import (
    ARRAY,
    URL,
    Float,
    Integer,
    Numeric,
    QueuePool,
    Text,
    bindparam,
    cast,
    func,
    select,
    text,
)
from sqlalchemy.exc import DBAPIError, InvalidRequestError

from app.kit.db.deletion import exclude_deleted
from app.kit.db.session import Database
from app.kit.http.dependencies import DatabaseDep
from app.kit.queries.compiled.statement_cache import Row, StatementCache, prepare
from app.main import create_app
from tests.conformance.support.simple_models import Kind, Own, Thing
from tests.support.app import running
from tests.support.database import settings_with
from tests.support.statements import counting


class Slept(BaseModel):
    slept: bool


class Number(BaseModel):
    number: int


BY_KIND = (
    select(Thing.number, Thing.kind).where(Thing.kind == bindparam("kind")).order_by(Thing.number)
)
SLEEP = select(func.pg_sleep(bindparam("seconds", type_=Integer)).is_not(None).label("slept"))
BACKEND = select(func.pg_backend_pid().label("number"))
STATEMENTS = StatementCache()


async def read(db: Database, statement: Any, **values: object) -> list[Row]:
    return await STATEMENTS.read(db, statement, exclude_deleted, values)


SECRET = "not a " + "number"
KILL = text("""
    -- Wait until the process has ended, at most 5 seconds.
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
""")


@pytest.fixture
async def module_app(unpooled_url: URL) -> AsyncGenerator[FastAPI]:
    """The service with a pool of one connection, a table, and endpoints that read it."""
    settings = settings_with(
        unpooled_url, pooler="none", pool_size=1, max_overflow=0, statement_timeout=0.5
    )
    app = create_app(settings)

    @app.get("/kit/sleep", response_model=list[Slept])
    async def sleep(db: DatabaseDep) -> list[Row]:
        return await read(db, SLEEP, seconds=2)

    @app.get("/kit/backend", response_model=Number)
    async def backend(db: DatabaseDep) -> Row:
        return (await read(db, BACKEND))[0]

    async with running(app):
        async with app.state.database.transaction() as session:
            await (await session.connection()).run_sync(Own.metadata.create_all)
            session.add_all([Thing(number=1, name="a"), Thing(number=2, name="b")])
            session.add(Thing(number=3, name="c", kind=Kind.ROUND))
        yield app


@pytest.fixture
def database(module_app: FastAPI) -> Database:
    found: Database = module_app.state.database
    return found


async def kill(app: FastAPI) -> None:
    """Terminate the service's connections."""
    database: Database = app.state.database
    async with database.transaction() as session:
        await session.execute(KILL)


async def test_parameters_and_rows_are_converted_like_in_a_session(database: Database) -> None:
    found = await read(database, BY_KIND, kind=Kind.FLAT)
    assert found == [{"number": 1, "kind": Kind.FLAT}, {"number": 2, "kind": Kind.FLAT}]
    assert await read(database, BY_KIND, kind=Kind.ROUND) == [{"number": 3, "kind": Kind.ROUND}]


async def test_numbers_are_converted_like_in_a_session(database: Database) -> None:
    numbers: Any = select(
        cast(1.5, Numeric(10, 2)).label("exact"),
        cast(1.5, Numeric(10, 2, asdecimal=False)).label("rounded"),
        cast(1.5, Float()).label("inexact"),
        cast(1.5, Float(asdecimal=True)).label("written_out"),
        cast([1.5, 2], ARRAY(Numeric(10, 2))).label("several"),
    )
    async with database.engine.connect() as connection:
        expected = (await connection.execute(numbers)).mappings().one()
    assert repr(await read(database, numbers)) == repr([dict(expected)])


async def test_missing_parameter_is_reported_by_name(database: Database) -> None:
    with pytest.raises(InvalidRequestError, match="value is required for bind parameter 'kind'"):
        await read(database, BY_KIND)


async def test_statement_without_fixed_text_falls_back_to_sqlalchemy(database: Database) -> None:
    several = select(Thing.number).where(Thing.number.in_(bindparam("numbers", expanding=True)))
    assert prepare(several, database.engine.dialect) is None
    for numbers in ([1], [1, 3], []):
        found = await read(database, several.order_by(Thing.number), numbers=numbers)
        assert [row["number"] for row in found] == numbers


async def test_server_rejects_write_on_read_connection(database: Database) -> None:
    with pytest.raises(DBAPIError, match="read-only transaction"):
        await database.fetch("DELETE FROM kit_things RETURNING number", [])
    assert len(await read(database, BY_KIND, kind=Kind.FLAT)) == 2


async def test_slow_statement_is_cancelled_with_503(
    module_client: AsyncClient,
) -> None:
    response = await module_client.get("/kit/sleep")
    assert response.status_code == 503
    assert response.headers["Content-Type"] == "application/problem+json"
    assert (await module_client.get("/kit/backend")).status_code == 200


async def test_connection_closed_while_idle_is_replaced(
    module_client: AsyncClient, module_app: FastAPI
) -> None:
    before = (await module_client.get("/kit/backend")).json()["number"]
    await kill(module_app)
    # The event loop notices the closed connection in its next iteration.
    await asyncio.sleep(0.05)
    after = await module_client.get("/kit/backend")
    assert after.status_code == 200
    assert after.json()["number"] != before


async def test_connection_lost_during_statement_is_a_503_and_is_replaced(
    module_client: AsyncClient, module_app: FastAPI
) -> None:
    request = asyncio.create_task(module_client.get("/kit/sleep"))
    await asyncio.sleep(0.1)
    await kill(module_app)
    assert (await request).status_code == 503
    assert (await module_client.get("/kit/backend")).status_code == 200


async def test_cancelled_statement_does_not_affect_the_next(database: Database) -> None:
    before = await read(database, BACKEND)
    request = asyncio.create_task(read(database, SLEEP, seconds=2))
    await asyncio.sleep(0.1)
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    assert await read(database, BACKEND) != before
    pool = database.read_engine.pool
    assert isinstance(pool, QueuePool)
    assert pool.checkedout() == 0


async def test_error_contains_no_parameter_values(database: Database) -> None:
    number = select(cast(bindparam("value", type_=Text), Integer).label("number"))
    with pytest.raises(DBAPIError, match="invalid input syntax") as caught:
        await read(database, number, value=SECRET)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


async def test_event_listeners_receive_the_statement(database: Database) -> None:
    with counting(database.read_engine) as statements:
        await read(database, BY_KIND, kind=Kind.FLAT)
    statements.assert_count(1)
