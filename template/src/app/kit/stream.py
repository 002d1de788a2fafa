"""Answers of any length, sent while they are read."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from pydantic import BaseModel
from sqlalchemy import Select
from starlette.responses import StreamingResponse
from starlette.types import Send

from app.kit.db.session import Database

MEDIA_TYPE = "application/x-ndjson"
ROWS_AT_ONCE = 500
# For `responses=`. Were it an attribute of the class, FastAPI would document errors under it too.
JSON_LINES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Each line is one row, as JSON",
        "content": {MEDIA_TYPE: {"schema": {"type": "string"}}},
    }
}


class JsonLines(StreamingResponse):
    """The rows of a statement, each a line of JSON (NDJSON), in the form of a schema.

    It reads them over a session of its own, all as of one moment: the one of the request ends
    before an answer begins.
    An error before the first rows is answered as any other; a later one breaks the connection,
    so that nobody takes a part for the whole.
    """

    def __init__(
        self,
        database: Database,
        statement: Select[Any],
        schema: type[BaseModel],
        # FastAPI reads from here which status to document.
        status_code: int = 200,
    ) -> None:
        self.lines = _lines(database, statement, schema)
        super().__init__(self.lines, status_code, media_type=MEDIA_TYPE)

    async def stream_response(self, send: Send) -> None:
        """Send what is read; a client that goes away ends the reading and frees the connection."""
        async with aclosing(self.lines):
            first = await anext(self.lines, b"")
            self.body_iterator = _resumed(first, self.lines)
            await super().stream_response(send)


async def _lines(
    database: Database, statement: Select[Any], schema: type[BaseModel]
) -> AsyncGenerator[bytes]:
    async with database.snapshot() as session:
        # A cursor of the server: it hands over so many rows at a time.
        result = await session.stream_scalars(statement.execution_options(yield_per=ROWS_AT_ONCE))
        async for rows in result.partitions():
            items = (schema.model_validate(row).model_dump_json() for row in rows)
            yield "".join(f"{item}\n" for item in items).encode()


async def _resumed(first: bytes, rest: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    yield first
    async for part in rest:
        yield part
