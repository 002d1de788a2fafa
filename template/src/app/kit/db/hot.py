"""Deprecated: compiled reads. Use `app.kit.queries.view.View`; this module goes in 0.7.0."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from fastapi import Depends, Request, Response
from pydantic import BaseModel
from sqlalchemy import ColumnElement, Dialect, Text, bindparam, cast, select
from sqlalchemy.exc import InvalidRequestError
from typing_extensions import deprecated

from app.kit.db.attributes import column_of, primary_key
from app.kit.db.base import Base
from app.kit.db.deletion import living
from app.kit.db.driver import Rows
from app.kit.db.ids import Id
from app.kit.db.json import AnySelect
from app.kit.db.session import Database, reading_database
from app.kit.errors import NotFound
from app.kit.queries.prepared import Prepared, prepare

S = TypeVar("S", bound=BaseModel)


class _Reads:
    def __init__(self, database: Database) -> None:
        self.engine = database.reading_engine
        self._database = database

    async def fetch(self, sql: str, values: Sequence[Any]) -> Rows:
        """The rows of a statement, over a connection that PostgreSQL lets only read."""
        return await self._database.fetch(sql, values)


@deprecated("use app.kit.queries.view.View with DatabaseDep; it goes in 0.7.0")
class HotReads(_Reads):
    """How a request runs statements over the driver."""


async def _reads(request: Request) -> _Reads:
    return _Reads(await reading_database(request))


@deprecated("use app.kit.db.session.DatabaseDep; it goes in 0.7.0")
async def hot_reads(request: Request) -> _Reads:
    """How this request runs them: on the replica if one is set, unless it must be fresh."""
    return await _reads(request)


Hot = Annotated[
    _Reads,
    Depends(_reads),
    deprecated("use app.kit.queries.view.View with DatabaseDep; it goes in 0.7.0"),
]


class _Statement:
    def __init__(self, statement: AnySelect) -> None:
        self.statement = living(statement)
        self._prepared: WeakKeyDictionary[Dialect, Prepared] = WeakKeyDictionary()

    async def rows(self, hot: _Reads, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Every row, by the names of the columns; the statement limits them."""
        dialect = hot.engine.dialect
        read = self._prepared.get(dialect)
        if read is None:
            read = self._prepared[dialect] = self._prepare(dialect)
        try:
            arguments = read.arguments(values=values)
        except InvalidRequestError as missing:
            raise TypeError(str(missing)) from None
        return read.rows(await hot.fetch(read.sql, arguments))

    def _prepare(self, dialect: Dialect) -> Prepared:
        described = self.statement.column_descriptions
        if any(item["expr"] is item.get("entity") for item in described):
            raise TypeError("select the columns of the model, not the model")
        names = [str(item["name"]) for item in described]
        prepared = prepare(self.statement, dialect, names=names)
        if prepared is None:
            raise TypeError("the statement has no fixed text: compare with `any_(…)`, not `in_`")
        return prepared


@deprecated("use app.kit.queries.view.View; it goes in 0.7.0")
class HotStatement(_Statement):
    """A SELECT of columns, compiled with its first use; values are given by name."""


class _Select(_Statement, Generic[S]):
    def __init__(self, statement: AnySelect, schema: type[S]) -> None:
        super().__init__(statement)
        self.schema = schema

    async def all(self, hot: _Reads, **values: Any) -> list[S]:
        """Every row."""
        return [self.schema.model_validate(row) for row in await self.rows(hot, values)]

    async def first(self, hot: _Reads, **values: Any) -> S | None:
        """The first row, or None."""
        return next(iter(await self.all(hot, **values)), None)


@deprecated("use app.kit.queries.view.View; it goes in 0.7.0")
class HotSelect(_Select[S]):
    """A SELECT whose rows have the form of a schema."""


@deprecated("use View.get of app.kit.queries.view; it goes in 0.7.0")
class HotGet(_Select[S]):
    """The read of one row by its primary key, which is one column.

    Raises TypeError if the schema shows anything else than columns of the model.
    """

    def __init__(self, model: type[Base], schema: type[S]) -> None:
        self.name = model.__name__.lower()
        for name in schema.model_fields:
            column_of(model, name, used_by=schema.__name__)
        columns = [getattr(model, name) for name in schema.model_fields]
        super().__init__(select(*columns).where(primary_key(model) == bindparam("key")), schema)

    async def get(self, hot: _Reads, key: Id) -> S:
        """The row with this key, or `NotFound`."""
        found = await self.first(hot, key=key)
        if found is None:
            raise NotFound(f"There is no {self.name} {key}.")
        return found


@deprecated("use View.list of app.kit.queries.view; it goes in 0.7.0")
class HotJson(_Statement):
    """A SELECT of one JSON text, see app.kit.db.json, that is the response as it is."""

    def __init__(self, document: ColumnElement[Any]) -> None:
        super().__init__(select(cast(document, Text).label("document")))

    async def answer(self, hot: _Reads, **values: Any) -> Response:
        """The response; name its form with `response_model`, as nothing else checks it."""
        (row,) = await self.rows(hot, values)
        return Response(row["document"], media_type="application/json")
