"""Streamed responses: of any length, sent while they are read."""

import csv
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from io import StringIO
from typing import Any

from pydantic import BaseModel
from sqlalchemy import Select
from starlette.responses import StreamingResponse
from starlette.types import Send

from app.kit.db.session import Database

MEDIA_TYPE = "application/x-ndjson"
CSV_MEDIA_TYPE = "text/csv"
ROWS_AT_ONCE = 500


def described(media_type: str, description: str) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of an endpoint that streams this media type."""
    # Were it an attribute of the class, FastAPI would document errors under it too.
    content = {media_type: {"schema": {"type": "string"}}}
    return {200: {"description": description, "content": content}}


JSON_LINES = described(MEDIA_TYPE, "Each line is one row, as JSON")
CSV = described(CSV_MEDIA_TYPE, "A header line, then each line is one row (RFC 4180)")


class StreamedRows(StreamingResponse):
    """The rows of a statement, each encoded as bytes; subclass it for another format.

    It reads them over a session of its own, all as of one moment: the session of the request ends
    before a response begins. `encode` is given a model, or a `Row` where the statement selects
    several columns. An error before the first rows is an error response; a later one breaks the
    connection, so that no client takes a part for the whole.
    """

    def __init__(
        self,
        database: Database,
        statement: Select[Any],
        encode: Callable[[Any], bytes],
        *,
        header: bytes = b"",
        media_type: str,
        # FastAPI reads from here which status to document.
        status_code: int = 200,
    ) -> None:
        self.parts = _parts(database, statement, encode, header)
        super().__init__(self.parts, status_code, media_type=media_type)

    async def stream_response(self, send: Send) -> None:
        """Send what is read; a client that disconnects ends the reading."""
        async with aclosing(self.parts):
            first = await anext(self.parts, b"")
            self.body_iterator = _resumed(first, self.parts)
            await super().stream_response(send)


class JsonLines(StreamedRows):
    """The rows of a statement, each a line of JSON (NDJSON), in the form of a schema."""

    def __init__(
        self,
        database: Database,
        statement: Select[Any],
        schema: type[BaseModel],
        status_code: int = 200,
    ) -> None:
        def encode(row: Any) -> bytes:
            return f"{schema.model_validate(row).model_dump_json()}\n".encode()

        super().__init__(
            database, statement, encode, media_type=MEDIA_TYPE, status_code=status_code
        )


class CsvLines(StreamedRows):
    """The rows of a statement as CSV in UTF-8: a header line of a schema's fields, then the rows.

    What is not text has the form that it has in JSON: `true`, `2026-01-31T12:00:00Z`, and JSON
    itself for a list or an object. A null is empty, as an empty text is.

    A spreadsheet runs text that begins with `=`, `+`, `-` or `@` as a formula. Where people open
    the file in one and others choose the text, set `escape_formulas`: it puts `'` before such text,
    which a program that reads the file has to remove again.
    """

    def __init__(
        self,
        database: Database,
        statement: Select[Any],
        schema: type[BaseModel],
        status_code: int = 200,
        *,
        escape_formulas: bool = False,
    ) -> None:
        def encode(row: Any) -> bytes:
            values = schema.model_validate(row).model_dump(mode="json").values()
            return _csv_line([_cell(value, escape_formulas=escape_formulas) for value in values])

        super().__init__(
            database,
            statement,
            encode,
            header=_csv_line([*schema.model_fields, *schema.model_computed_fields]),
            media_type=CSV_MEDIA_TYPE,
            status_code=status_code,
        )


_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def _cell(value: Any, *, escape_formulas: bool) -> str:
    match value:
        case None:
            return ""
        case str():
            return f"'{value}" if escape_formulas and value.startswith(_FORMULA) else value
        case _:
            return json.dumps(value, ensure_ascii=False)


def _csv_line(cells: list[str]) -> bytes:
    line = StringIO(newline="")
    csv.writer(line).writerow(cells)
    return line.getvalue().encode()


async def _parts(
    database: Database, statement: Select[Any], encode: Callable[[Any], bytes], header: bytes
) -> AsyncGenerator[bytes]:
    async with database.snapshot() as session:
        # A cursor of the server: it hands over so many rows at a time.
        streamed = statement.execution_options(yield_per=ROWS_AT_ONCE)
        is_single = len(statement.column_descriptions) == 1
        read = session.stream_scalars if is_single else session.stream
        result: Any = await read(streamed)
        async for rows in result.partitions():
            yield header + b"".join(map(encode, rows))
            header = b""
        if header:
            yield header


async def _resumed(first: bytes, rest: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    yield first
    async for part in rest:
        yield part
