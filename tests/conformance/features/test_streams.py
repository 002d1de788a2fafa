"""Streamed responses in several formats."""

import csv
import json
from io import StringIO
from math import inf, nan

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from pydantic import Field
from sqlalchemy import ARRAY, Double, func, literal, select

from app.kit.db.session import Database
from app.kit.http.application import Application
from app.kit.http.dependencies import DatabaseDep
from app.kit.http.schemas import ResponseModel
from app.kit.http.streaming import CSV, ROWS_AT_ONCE, CsvLines, StreamedRows
from tests.conformance.features.notes.models import Note
from tests.support.app import client_of

TEXTS = ["plain", 'a,"b"', "line\r\nbreak", "=1+1", "-1", "", "ß\U0001f600", " blank "]


class NoteLine(ResponseModel):
    """A line of the export."""

    title: str
    length: int | None
    # Neither may move the columns after it.
    hidden: str = Field(default="", exclude=True)
    absent: str = Field(default="", exclude_if=lambda text: not text)
    flags: list[bool]
    ratio: float
    ratios: list[float]


application = Application()
STATEMENT = select(
    Note.title,
    func.nullif(func.length(Note.title), 0).label("length"),
    func.string_to_array("true", ",").label("flags"),
    literal(nan, Double).label("ratio"),
    literal([0.5, inf], ARRAY(Double)).label("ratios"),
).order_by(Note.id)


@application.get("/csv", response_class=CsvLines, responses=CSV)
async def read_csv(database: DatabaseDep, escape: bool = False) -> CsvLines:
    """Export as CSV."""
    return CsvLines(database, STATEMENT, NoteLine, escape_formulas=escape)


@application.get("/bytes")
async def read_bytes(database: DatabaseDep) -> StreamedRows:
    """Export in a format that the team defines."""

    def encode(note: Note) -> bytes:
        return note.title.encode("utf-16-le") + b"\0\0"

    statement = select(Note).order_by(Note.id)
    return StreamedRows(database, statement, encode, header=b"\xff\xfe", media_type="text/x-own")


@pytest.fixture
async def client_of_exports(own_app: FastAPI) -> AsyncClient:
    """A client of the exports, on a database with notes."""
    database: Database = own_app.state.database
    application.state.database = database
    return client_of(application)


async def add_notes(app: FastAPI, titles: list[str]) -> None:
    """Store notes, in this order."""
    database: Database = app.state.database
    async with database.transaction() as session:
        for title in titles:
            session.add(Note(title=title))
            await session.flush()


async def test_csv_has_a_header_and_quotes_special_characters(
    client_of_exports: AsyncClient, own_app: FastAPI
) -> None:
    await add_notes(own_app, TEXTS)
    response = await client_of_exports.get("/csv")
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.reader(StringIO(response.content.decode(), newline="")))
    assert rows[0] == ["title", "length", "absent", "flags", "ratio", "ratios"]
    assert [row[0] for row in rows[1:]] == TEXTS
    assert rows[1][1:] == ["5", "", "[true]", "", "[0.5,null]"]
    assert rows[6][1:] == ["", "", "[true]", "", "[0.5,null]"]
    assert response.content.count(b"\r\n") == len(TEXTS) + 2


async def test_csv_escapes_formulas_if_requested(
    client_of_exports: AsyncClient, own_app: FastAPI
) -> None:
    await add_notes(own_app, TEXTS)
    response = await client_of_exports.get("/csv", params={"escape": True})
    rows = list(csv.reader(StringIO(response.content.decode(), newline="")))
    assert [row[0] for row in rows[4:6]] == ["'=1+1", "'-1"]


async def test_csv_without_rows_contains_only_the_header(client_of_exports: AsyncClient) -> None:
    text = (await client_of_exports.get("/csv")).text
    assert text == "title,length,absent,flags,ratio,ratios\r\n"


async def test_csv_header_is_sent_once(client_of_exports: AsyncClient, own_app: FastAPI) -> None:
    database: Database = own_app.state.database
    async with database.transaction() as session:
        session.add_all([Note(title=str(number)) for number in range(ROWS_AT_ONCE * 2)])
    text = (await client_of_exports.get("/csv")).text
    assert text.count("title") == 1
    assert len(text.splitlines()) == ROWS_AT_ONCE * 2 + 1


async def test_custom_encoder_receives_models(
    client_of_exports: AsyncClient, own_app: FastAPI
) -> None:
    await add_notes(own_app, ["a", "b"])
    response = await client_of_exports.get("/bytes")
    assert response.content.decode("utf-16") == "a\0b\0"


async def test_csv_media_type_is_documented() -> None:
    document = json.dumps(application.openapi()["paths"]["/csv"]["get"]["responses"]["200"])
    assert "text/csv" in document
