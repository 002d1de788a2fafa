"""Reads for the few endpoints that are asked most: compiled once, and run by the driver.

For a small read, a session takes several times as long to prepare the statement and to build its
objects as PostgreSQL takes to answer it. Here the statement is compiled with its first use, and its
rows become the response without an object between.

What makes the ordinary path safe is kept: the pool and its check of each connection, the limits of
the server, PostgreSQL's refusal of every write, the criteria of deletion, the conversion of types,
and errors that are answered the same way.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from fastapi import Depends, Request, Response
from pydantic import BaseModel
from sqlalchemy import ColumnElement, Dialect, Text, bindparam, cast, select

from app.kit.db.attributes import column_of, primary_key
from app.kit.db.base import Base
from app.kit.db.compiled import AnySelect, CompiledRead, compile_read
from app.kit.db.deletion import living
from app.kit.db.driver import Rows
from app.kit.db.ids import Id
from app.kit.db.session import Database, reading_database
from app.kit.errors import NotFound

S = TypeVar("S", bound=BaseModel)


class HotReads:
    """How a request runs statements in the words of the server."""

    def __init__(self, database: Database) -> None:
        self.engine = database.reading_engine
        self._database = database

    async def fetch(self, sql: str, values: Sequence[Any]) -> Rows:
        """The rows of a statement, over a connection that PostgreSQL lets only read."""
        return await self._database.fetch(sql, values)


async def hot_reads(request: Request) -> HotReads:
    """How this request runs them: on the replica where one is set, unless it must be fresh."""
    return HotReads(await reading_database(request))


Hot = Annotated[HotReads, Depends(hot_reads)]


class HotStatement:
    """A SELECT of columns, compiled with its first use; values are given by name."""

    def __init__(self, statement: AnySelect) -> None:
        self.statement = living(statement)
        self._compiled: WeakKeyDictionary[Dialect, CompiledRead] = WeakKeyDictionary()

    async def rows(self, hot: HotReads, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Every row, by the names of the columns; the statement bounds them."""
        dialect = hot.engine.dialect
        read = self._compiled.get(dialect)
        if read is None:
            read = self._compiled[dialect] = compile_read(self.statement, dialect)
        return read.rows(await hot.fetch(read.sql, read.values(values)))


class HotSelect(HotStatement, Generic[S]):
    """A SELECT whose rows have the form of a schema."""

    def __init__(self, statement: AnySelect, schema: type[S]) -> None:
        super().__init__(statement)
        self.schema = schema

    async def all(self, hot: HotReads, **values: Any) -> list[S]:
        """Every row."""
        return [self.schema.model_validate(row) for row in await self.rows(hot, values)]

    async def first(self, hot: HotReads, **values: Any) -> S | None:
        """The first row, or None."""
        return next(iter(await self.all(hot, **values)), None)


class HotGet(HotSelect[S]):
    """The read of one row by its primary key, which is one column.

    Raises TypeError where the schema shows anything else than columns of the model.
    """

    def __init__(self, model: type[Base], schema: type[S]) -> None:
        self.name = model.__name__.lower()
        for name in schema.model_fields:
            column_of(model, name, used_by=schema.__name__)
        columns = [getattr(model, name) for name in schema.model_fields]
        super().__init__(select(*columns).where(primary_key(model) == bindparam("key")), schema)

    async def get(self, hot: HotReads, key: Id) -> S:
        """The row with this key, or `NotFound`."""
        found = await self.first(hot, key=key)
        if found is None:
            raise NotFound(f"There is no {self.name} {key}.")
        return found


class HotJson(HotStatement):
    """A SELECT of one JSON text, see app.kit.db.json, that is the response as it is."""

    def __init__(self, document: ColumnElement[Any]) -> None:
        super().__init__(select(cast(document, Text).label("document")))

    async def answer(self, hot: HotReads, **values: Any) -> Response:
        """The response; name its form with `response_model`, as nothing else checks it."""
        (row,) = await self.rows(hot, values)
        return Response(row["document"], media_type="application/json")
