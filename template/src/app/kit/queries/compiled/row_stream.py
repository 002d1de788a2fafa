"""Streaming reads of a view, in bounded memory."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, Generic, TypeVar

from pydantic import BaseModel
from sqlalchemy import Select

from app.kit.db.session import Database
from app.kit.queries.compiled.rows import RowValidator

S = TypeVar("S", bound=BaseModel)

BATCH_SIZE = 500


class RowStream(Generic[S]):
    """An asynchronous iterable of schema instances, read in batches with a server-side cursor.

    Pass it to a streaming response (`JsonLines`, `CsvLines`), or use `async for`. Each iteration
    opens its own session, and reads all rows from one snapshot.
    """

    def __init__(
        self, database: Database, statement: Select[Any], schema: type[S], rows: RowValidator[S]
    ) -> None:
        self.schema = schema
        self._rows = rows
        self._database = database
        self._statement = statement.execution_options(yield_per=BATCH_SIZE)

    async def batches(self) -> AsyncGenerator[list[S]]:
        """Yield the rows in lists. Use `contextlib.aclosing` if you stop before the end."""
        async with self._database.snapshot() as session:
            connection = await session.connection()
            async with connection.stream(self._statement) as result:
                async for batch in result.mappings().partitions():
                    yield self._rows.all([dict(row) for row in batch])

    async def __aiter__(self) -> AsyncIterator[S]:
        """Yield the rows one by one."""
        async with aclosing(self.batches()) as batches:
            async for batch in batches:
                for row in batch:
                    yield row
