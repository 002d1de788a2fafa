"""Streaming responses: rows are sent while they are read from the database."""

import csv
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from io import StringIO
from typing import Any, TypeAlias, overload

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import to_json
from sqlalchemy import Select
from starlette.responses import StreamingResponse
from starlette.types import Send

from app.kit.db.session import Database
from app.kit.queries.compiled.results import BATCH_SIZE, RowStream

MEDIA_TYPE = "application/x-ndjson"
CSV_MEDIA_TYPE = "text/csv"
ROWS_AT_ONCE = BATCH_SIZE

Schema: TypeAlias = type[BaseModel]


def stream_responses(media_type: str, description: str) -> dict[int | str, dict[str, Any]]:
    """Return the `responses=` of an endpoint that streams this media type."""
    # Not `media_type` of the response class: FastAPI would document errors with it too.
    content = {media_type: {"schema": {"type": "string"}}}
    return {200: {"description": description, "content": content}}


JSON_LINES = stream_responses(MEDIA_TYPE, "One row per line, as JSON")
CSV = stream_responses(CSV_MEDIA_TYPE, "A header line, then one row per line (RFC 4180)")


class StreamedRows(StreamingResponse):
    """A response that streams the rows of a statement. Subclass it for another format.

    The response opens its own session, because the session of the request ends before the response
    starts. All rows come from one snapshot. `encode` gets a model, or a `Row` if the statement
    selects several columns. An error before the first row is an error response. A later error
    closes the connection, so that the client does not mistake a partial response for a complete
    one.
    """

    def __init__(
        self,
        database: Database,
        statement: Select[Any],
        encode: Callable[[Any], bytes],
        *,
        header: bytes = b"",
        media_type: str,
        # FastAPI reads the status for the OpenAPI schema from this default.
        status_code: int = 200,
    ) -> None:
        batches = _batches(database, statement)
        self._set_up(batches, encode, header, media_type=media_type, status_code=status_code)

    def _set_up(
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
        """Send the rows. Stop reading when the client disconnects."""
        async with aclosing(self.parts):
            first = await anext(self.parts, b"")
            self.body_iterator = _resumed(first, self.parts)
            await super().stream_response(send)


class JsonLines(StreamedRows):
    """Rows as JSON Lines (NDJSON), each serialized with a schema.

    Pass `View.stream(...)`. For rows that no view can read, such as groups, pass a database, a
    statement and a schema.
    """

    @overload
    def __init__(self, rows: RowStream[Any], /, *, status_code: int = 200) -> None: ...
    @overload
    def __init__(
        self, database: Database, statement: Select[Any], schema: Schema, status_code: int = 200
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

        batches, _ = _batches_and_schema(database, statement, schema)
        self._set_up(batches, encode, media_type=MEDIA_TYPE, status_code=status_code)


class CsvLines(StreamedRows):
    """Rows as CSV in UTF-8: a header line with the fields of a schema, then one line per row.

    Pass `View.stream(...)`. For rows that no view can read, such as groups, pass a database, a
    statement and a schema.

    Values that are not strings are written as in JSON: `true`, `2026-01-31T12:00:00Z`, `[1,2]`.
    Null is an empty cell, like an empty string.

    Spreadsheets run text that begins with `=`, `+`, `-` or `@` as a formula. Set `escape_formulas`
    if people open the file in a spreadsheet and the text comes from users. It puts `'` before such
    text; programs that read the file must remove it.
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
            # By name: `exclude_if` omits a value, which must not move the next ones.
            values = row.model_dump(mode="json", by_alias=False)
            cells = (_cell(values.get(name), escape_formulas=escape_formulas) for name in names)
            return _csv_line([*cells])

        batches, schema = _batches_and_schema(database, statement, schema)
        fields: dict[str, FieldInfo] = schema.model_fields
        names = [name for name, field in fields.items() if not field.exclude]
        names += schema.model_computed_fields
        self._set_up(
            batches, encode, _csv_line(names), media_type=CSV_MEDIA_TYPE, status_code=status_code
        )


_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def _cell(value: Any, *, escape_formulas: bool) -> str:
    if isinstance(value, str):
        return f"'{value}" if escape_formulas and value.startswith(_FORMULA) else value
    text = to_json(value, inf_nan_mode="null").decode()
    return "" if text == "null" else text


def _csv_line(cells: list[str]) -> bytes:
    line = StringIO(newline="")
    csv.writer(line).writerow(cells)
    return line.getvalue().encode()


def _batches_and_schema(
    rows: Database | RowStream[Any], statement: Select[Any], schema: Schema
) -> tuple[AsyncGenerator[list[Any]], Schema]:
    """Return the batches of rows, and their schema."""
    if isinstance(rows, RowStream):
        return rows.batches(), rows.schema
    return _batches(rows, statement, schema.model_validate), schema


async def _batches(
    database: Database, statement: Select[Any], convert: Callable[[Any], Any] | None = None
) -> AsyncGenerator[list[Any]]:
    async with database.snapshot() as session:
        # `yield_per` uses a server-side cursor.
        streamed = statement.execution_options(yield_per=BATCH_SIZE)
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
