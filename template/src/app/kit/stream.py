"""Streamed responses: of any length, sent while they are read."""

import csv
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from io import StringIO
from typing import Any, TypeAlias, overload

from pydantic import BaseModel
from sqlalchemy import Select
from starlette.responses import StreamingResponse
from starlette.types import Send

from app.kit.db.session import Database
from app.kit.queries.streaming import BATCH, RowStream

MEDIA_TYPE = "application/x-ndjson"
CSV_MEDIA_TYPE = "text/csv"
ROWS_AT_ONCE = BATCH

Schema: TypeAlias = type[BaseModel]


def described(media_type: str, description: str) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of an endpoint that streams this media type."""
    # Were it an attribute of the class, FastAPI would document errors under it too.
    content = {media_type: {"schema": {"type": "string"}}}
    return {200: {"description": description, "content": content}}


JSON_LINES = described(MEDIA_TYPE, "Each line is one row, as JSON")
CSV = described(CSV_MEDIA_TYPE, "A header line, then each line is one row (RFC 4180)")


class StreamedRows(StreamingResponse):
    """The rows of a statement, each encoded as bytes; subclass it for another format.

    It reads them with a session of its own, all as of one moment: the session of the request ends
    before a response begins. `encode` is given a model, or a `Row` if the statement selects
    several columns. An error before the first rows is an error response. A later one breaks the
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
        batches = _batches(database, statement)
        self._start(batches, encode, header, media_type=media_type, status_code=status_code)

    def _start(
        self,
        batches: AsyncGenerator[Any],
        encode: Callable[[Any], bytes],
        header: bytes = b"",
        *,
        media_type: str,
        status_code: int,
    ) -> None:
        self.parts = _parts(batches, encode, header)
        super().__init__(self.parts, status_code, media_type=media_type)

    async def stream_response(self, send: Send) -> None:
        """Send what is read; a client that disconnects ends the reading."""
        async with aclosing(self.parts):
            first = await anext(self.parts, b"")
            self.body_iterator = _resumed(first, self.parts)
            await super().stream_response(send)


class JsonLines(StreamedRows):
    """Rows in the form of a schema, each a line of JSON (NDJSON).

    The rows are those of `View.stream`, or of a statement of your own.
    """

    @overload
    def __init__(self, rows: RowStream[Any], /, *, status_code: int = 200) -> None: ...
    @overload
    def __init__(
        self,
        database: Database,
        statement: Select[Any],
        schema: Schema,
        status_code: int = 200,
    ) -> None: ...
    def __init__(
        self,
        database: Database | RowStream[Any],
        statement: Any = None,
        schema: Any = None,
        status_code: int = 200,
    ) -> None:
        def encode(row: BaseModel) -> bytes:
            return f"{row.model_dump_json()}\n".encode()

        batches, _ = _in_form(database, statement, schema)
        self._start(batches, encode, media_type=MEDIA_TYPE, status_code=status_code)


class CsvLines(StreamedRows):
    """Rows as CSV in UTF-8: a header line of the schema's fields, then one line for each row.

    The rows are those of `View.stream`, or of a statement of your own. Values that are not text
    have the form that they have in JSON: `true`, `2026-01-31T12:00:00Z`, and JSON itself for a
    list or an object. A null is empty, as an empty text is.

    A spreadsheet runs text that begins with `=`, `+`, `-` or `@` as a formula. Where people open
    the file in one and others choose the text, set `escape_formulas`: it puts `'` before such text,
    which a program that reads the file has to remove again.
    """

    @overload
    def __init__(
        self, rows: RowStream[Any], /, *, status_code: int = 200, escape_formulas: bool = False
    ) -> None: ...
    @overload
    def __init__(
        self,
        database: Database,
        statement: Select[Any],
        schema: Schema,
        status_code: int = 200,
        *,
        escape_formulas: bool = False,
    ) -> None: ...
    def __init__(
        self,
        database: Database | RowStream[Any],
        statement: Any = None,
        schema: Any = None,
        status_code: int = 200,
        *,
        escape_formulas: bool = False,
    ) -> None:
        def encode(row: BaseModel) -> bytes:
            values = row.model_dump(mode="json").values()
            return _csv_line([_cell(value, escape_formulas=escape_formulas) for value in values])

        batches, schema = _in_form(database, statement, schema)
        header = _csv_line([*schema.model_fields, *schema.model_computed_fields])
        self._start(batches, encode, header, media_type=CSV_MEDIA_TYPE, status_code=status_code)


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


def _in_form(
    rows: Database | RowStream[Any], statement: Select[Any], schema: Schema
) -> tuple[AsyncGenerator[list[Any]], Schema]:
    """The batches of a stream, or of a statement in the form of a schema; with the schema."""
    if isinstance(rows, RowStream):
        return rows.batches(), rows.schema
    return _batches(rows, statement, schema.model_validate), schema


async def _batches(
    database: Database, statement: Select[Any], convert: Callable[[Any], Any] | None = None
) -> AsyncGenerator[list[Any]]:
    async with database.snapshot() as session:
        # A server-side cursor.
        streamed = statement.execution_options(yield_per=BATCH)
        is_single = len(statement.column_descriptions) == 1
        read = session.stream_scalars if is_single else session.stream
        result: Any = await read(streamed)
        async for rows in result.partitions():
            yield [convert(row) for row in rows] if convert else list(rows)


async def _parts(
    batches: AsyncGenerator[list[Any]], encode: Callable[[Any], bytes], header: bytes
) -> AsyncGenerator[bytes]:
    async with aclosing(batches):
        async for rows in batches:
            yield header + b"".join(map(encode, rows))
            header = b""
        if header:
            yield header


async def _resumed(first: bytes, rest: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    yield first
    async for part in rest:
        yield part
