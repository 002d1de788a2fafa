"""Rows of a view that are read while they are sent, in bounded memory."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, TypeAdapter
from sqlalchemy import Select

from app.kit.db.session import Database

S = TypeVar("S", bound=BaseModel)

BATCH = 500


class RowStream(Generic[S]):
    """Rows in the form of a schema, read in batches with a server-side cursor.

    Give it to a streamed response (`JsonLines`, `CsvLines`), or iterate over it with `async for`.
    Each iteration reads with a session of its own, all rows as of one moment.
    """

    def __init__(self, database: Database, statement: Select[Any], schema: type[S]) -> None:
        self.schema = schema
        self._database = database
        self._statement = statement.execution_options(yield_per=BATCH)

    async def batches(self) -> AsyncGenerator[list[S]]:
        """Read the rows in lists. Use `contextlib.aclosing` to stop before the last."""
        rows: TypeAdapter[list[S]] = TypeAdapter(
            list[self.schema]  # type: ignore[name-defined]  # an attribute, not a type
        )
        async with self._database.snapshot() as session:
            connection = await session.connection()
            async with connection.stream(self._statement) as result:
                async for batch in result.mappings().partitions():
                    yield rows.validate_python([dict(row) for row in batch])

    async def __aiter__(self) -> AsyncIterator[S]:
        """Read the rows one by one."""
        async with aclosing(self.batches()) as batches:
            async for batch in batches:
                for row in batch:
                    yield row
