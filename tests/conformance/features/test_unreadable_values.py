"""Dates and times that Python cannot represent are reported with their column."""

from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import ARRAY, URL, Interval, Text, cast, select, text
from sqlalchemy.exc import StatementError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import undefer

from app.kit.db.connections.asyncpg_types import UnreadableValue
from app.kit.db.session import Database
from app.kit.errors.database_errors import problem_from_db_error
from app.kit.errors.problems import CommitOutcomeUnknown, Problem
from app.kit.http.schemas import ResponseModel
from app.kit.queries.compiled.json_sql import json_list
from app.kit.queries.pagination import CursorQuery
from app.kit.queries.sorting import order_by
from app.kit.queries.view import View
from tests.conformance.features.sorting.models import SortSample
from tests.support.app import client_of
from tests.support.database import settings_with

VALUES = [
    ("days", '{2026-02-28,"0044-03-15 BC"}'),
    ("days", "{NULL,10000-01-01}"),
    ("day", "0044-03-15 BC"),
    ("day", "10000-01-01"),
    ("moment", "0044-03-15 00:00:00+00 BC"),
    ("moment", "10000-01-01 00:00:00+00"),
    ("clock", "24:00"),
    ("zoned", "24:00+02"),
    ("lasts", "infinity"),
    ("lasts", "5000000 years"),
    # The driver has 32 bits for days, and would return -644967296 days and 1 day.
    ("lasts", "10000000 years"),
    ("lasts", "11767033 years 252 days"),
    ("moments", '{"0044-03-15 BC"}'),
]
TYPES: dict[str, Any] = {
    "day": date,
    "moment": datetime,
    "clock": time,
    "zoned": time,
    "lasts": timedelta,
    "moments": list[datetime],
    "days": list[date],
}


def view_of(name: str) -> View[Any]:
    """Return a view of this column."""
    namespace = {"__annotations__": {"number": int, name: TYPES[name]}, "__module__": __name__}
    schema: Any = type("SampleOut", (ResponseModel,), namespace)
    return View(schema, SortSample)


async def store(session: AsyncSession, name: str, value: str) -> None:
    columns = "number, rank" if name == "number" else name
    await session.execute(
        text(f"INSERT INTO conformance_sort_samples ({columns}) VALUES ('{value}')")
    )


@pytest.mark.parametrize(("name", "value"), VALUES)
async def test_session_reports_the_column(session: AsyncSession, name: str, value: str) -> None:
    await store(session, name, value)
    column: Any = getattr(SortSample, name)
    view = view_of(name)
    by_number = order_by(SortSample.number.asc(), tiebreaker=SortSample.number)
    with pytest.raises(UnreadableValue, match=rf"value of \S*{name} in a row"):
        await session.execute(select(SortSample).options(undefer(column)))
    with pytest.raises(UnreadableValue, match=name):
        await session.scalars(select(column))
    with pytest.raises(UnreadableValue, match=name):
        async for _ in await session.stream(select(column)):
            pass
    with pytest.raises(UnreadableValue, match=name):
        await session.execute(text(f"SELECT {name} FROM conformance_sort_samples"))
    with pytest.raises(UnreadableValue, match=name):
        await view.list(session, view.select())
    with pytest.raises(UnreadableValue, match=name):
        await view.feed(session, CursorQuery(), view.select(), by_number)
    # The connection and the transaction are still usable.
    assert await session.scalar(select(cast(column, Text)))


@pytest.mark.parametrize(("name", "value"), VALUES)
async def test_pool_reports_the_column_and_keeps_the_connection(
    own_app: FastAPI, name: str, value: str
) -> None:
    database: Database = own_app.state.database
    async with database.transaction() as session:
        await store(session, name, value)
    view = view_of(name)
    backend = "SELECT pg_backend_pid()"
    before = await database.fetch(backend, [])
    with pytest.raises(UnreadableValue, match=f"value of {name} in a row"):
        await view.list(database, view.select())
    with pytest.raises(UnreadableValue, match=name):
        await anext(view.stream(database, view.select()).batches())
    assert await database.fetch(backend, []) == before


@pytest.mark.parametrize(("name", "value"), VALUES[:6])
async def test_database_json_reports_the_column(
    session: AsyncSession, name: str, value: str
) -> None:
    await store(session, name, value)
    column: Any = getattr(SortSample, name)
    with pytest.raises(StatementError) as caught:
        await session.execute(select(cast(json_list(select(column)), Text)))
    problem = problem_from_db_error(caught.value)
    assert isinstance(problem, UnreadableValue)
    assert f"value of {name} in" in problem.detail


@pytest.mark.parametrize(
    "value",
    [
        timedelta.min,
        timedelta.max,
        timedelta(days=-1, seconds=3, microseconds=4),
        timedelta(days=800, microseconds=-1),
    ],
)
async def test_intervals_in_range_are_unchanged(session: AsyncSession, value: timedelta) -> None:
    as_list = cast([value, None], ARRAY(Interval))
    row = (await session.execute(select(cast(value, Interval), as_list))).one()
    assert [*row] == [value, [value, None]]


async def test_month_is_30_days_and_year_is_365_days(session: AsyncSession) -> None:
    months = "SELECT interval '-2 years -3 months -4 days', interval '14 months'"
    row = (await session.execute(text(months))).one()
    assert [*row] == [timedelta(days=-730 - 90 - 4), timedelta(days=365 + 60)]


async def test_unreadable_value_is_a_409(own_app: FastAPI) -> None:
    @own_app.get("/conformance/days")
    async def days() -> list[Any]:
        view = view_of("day")
        return await view.list(own_app.state.database, view.select())

    async with own_app.state.database.transaction() as session:
        await store(session, "day", "0044-03-15 BC")
    async with client_of(own_app) as client:
        response = await client.get("/conformance/days")
    assert response.status_code == 409
    assert "The value of day in a row" in response.json()["detail"]


async def test_unreadable_returned_row_is_an_unknown_outcome(own_database_url: URL) -> None:
    settings = settings_with(own_database_url, pooler="none").database
    database = Database.open(settings, "conformance")
    insert = "INSERT INTO conformance_sort_samples (day) VALUES ('0044-03-15 BC') RETURNING day"
    with pytest.raises(CommitOutcomeUnknown, match="cannot read"):
        await database.fetch_committed(insert, [])
    assert database.counts.outcomes_unknown == 1
    await database.close()


async def test_other_database_errors_are_not_unreadable_values(session: AsyncSession) -> None:
    with pytest.raises(StatementError) as caught:
        await session.execute(text("SELECT current_setting('no.such')"))
    assert not isinstance(problem_from_db_error(caught.value), Problem)
