"""Responses contain the extreme values of PostgreSQL: infinity, NaN, first and last dates."""

import json
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Text as SqlText
from sqlalchemy import cast, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import undefer

from app.kit.http.schemas import ResponseModel
from app.kit.queries.compiled.json_sql import json_list
from app.kit.queries.view import View
from tests.conformance.features.sorting.models import SortSample


class SampleOut(ResponseModel):
    double: float | None
    exact: Decimal | None
    day: date | None
    moment: datetime | None


ROWS = [
    ("NaN", "NaN", "-infinity", "-infinity"),
    ("Infinity", "Infinity", "infinity", "infinity"),
    ("-Infinity", "-Infinity", "0001-01-01", "0001-01-01 00:00:00+00"),
    ("0.1", "0.10", "9999-12-31", "9999-12-31 23:59:59.999999+00"),
]


async def test_entities_views_and_database_json_return_the_same_response(
    session: AsyncSession,
) -> None:
    for double, exact, day, moment in ROWS:
        columns = "double, exact, day, moment"
        values = f"'{double}', '{exact}', '{day}', '{moment}'"
        insert = f"INSERT INTO conformance_sort_samples ({columns}) VALUES ({values})"
        await session.execute(text(insert))
    loads = undefer(SortSample.day), undefer(SortSample.moment)
    rows = await session.scalars(select(SortSample).order_by(SortSample.number).options(*loads))
    entities = [SampleOut.model_validate(row).model_dump_json() for row in rows]
    view = View(SampleOut, SortSample)
    shown = await view.list(session, view.select().order_by(SortSample.number))
    assert [row.model_dump_json() for row in shown] == entities
    shown_columns = [getattr(SortSample, name) for name in SampleOut.model_fields]
    document = json_list(select(*shown_columns).order_by(SortSample.number))
    (written,) = await session.scalars(select(cast(document, SqlText)))
    parsed = TypeAdapter(list[SampleOut]).validate_json(written)
    assert [row.model_dump_json() for row in parsed] == entities
    for entity in entities:
        values = json.loads(entity)
        assert values["moment"].endswith("Z")
    assert [json.loads(entity)["exact"] for entity in entities] == [
        "NaN",
        "Infinity",
        "-Infinity",
        "0.10",
    ]


class DaysOut(ResponseModel):
    days: list[Any] | None


async def test_date_array_in_json_equals_values_read_by_the_driver(
    session: AsyncSession,
) -> None:
    values = [
        "{infinity,NULL,-infinity,0001-01-01,9999-12-31}",
        "{{2026-02-28,infinity},{NULL,2026-03-01}}",
        "{NULL}",
        "{}",
        None,
    ]
    await session.execute(
        text("INSERT INTO conformance_sort_samples (days) VALUES (cast(:days AS text)::date[])"),
        [{"days": value} for value in values],
    )
    view, ordered = View(DaysOut, SortSample), SortSample.number
    rows = await view.list(session, view.select().order_by(ordered))
    document = json_list(select(SortSample.days).order_by(ordered))
    written = json.loads(str(await session.scalar(select(cast(document, SqlText)))))
    assert written == [json.loads(row.model_dump_json()) for row in rows]
    assert written[0]["days"] == ["9999-12-31", None, "0001-01-01", "0001-01-01", "9999-12-31"]
