"""Deprecated: compiled inserts. Use `View.insert` of app.kit.queries.view; it goes in 0.7.0."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from fastapi import Depends, Request
from pydantic import BaseModel
from sqlalchemy import Column, Dialect
from sqlalchemy.orm import DeclarativeBase
from typing_extensions import deprecated

from app.kit.db.attributes import column_of, table_columns
from app.kit.db.driver import Rows
from app.kit.db.session import Database, database_of
from app.kit.queries.dml import arguments, insert_defaults, insert_row, mapper_of
from app.kit.queries.prepared import Prepared, prepare

S = TypeVar("S", bound=BaseModel)


class _Writes:
    def __init__(self, database: Database) -> None:
        self.database = database

    async def fetch(self, sql: str, values: Sequence[Any]) -> Rows:
        """The rows that a statement returns, once it is committed.

        Raises OutcomeUnknown if the connection breaks before the response of the server.
        """
        return await self.database.fetch_committed(sql, values)


@deprecated("use View.insert of app.kit.queries.view with DatabaseDep; it goes in 0.7.0")
class HotWrites(_Writes):
    """How a request runs statements that are each a transaction."""


async def _writes(request: Request) -> _Writes:
    return _Writes(database_of(request))


@deprecated("use app.kit.db.session.DatabaseDep; it goes in 0.7.0")
async def hot_writes(request: Request) -> _Writes:
    """How this request runs them: on the primary."""
    return await _writes(request)


HotWrite = Annotated[
    _Writes,
    Depends(_writes),
    deprecated("use View.insert of app.kit.queries.view with DatabaseDep; it goes in 0.7.0"),
]


@deprecated("use View.insert of app.kit.queries.view; it goes in 0.7.0")
class HotInsert(Generic[S]):
    """An INSERT of one row, whose columns `given` names; the row is returned as the schema.

    A None that is given is stored as NULL; a session would take the default of the column.
    """

    def __init__(
        self, model: type[DeclarativeBase], given: type[BaseModel], schema: type[S]
    ) -> None:
        if model.__mapper__.version_id_col is not None:
            raise TypeError(f"{model.__name__} counts its versions: create it with a session")
        self.schema = schema
        self.given = tuple(given.model_fields)
        columns = table_columns(mapper_of(model))
        for name in self.given:
            column_of(model, name, used_by=given.__name__)
        for name in columns.keys() - {*self.given}:
            _check_default(columns[name])
        # PostgreSQL knows no default of Python.
        self.defaults: dict[str, Callable[[], Any]] = insert_defaults(model, self.given)
        self.returned: dict[str, Any] = {
            name: column_of(model, name, used_by=schema.__name__) for name in schema.model_fields
        }
        names = [*self.given, *self.defaults]
        self.statement: Any = insert_row(model, names).returning(*self.returned.values())
        self._prepared: WeakKeyDictionary[Dialect, Prepared] = WeakKeyDictionary()

    async def create(self, hot: _Writes, new: BaseModel) -> S:
        """The row as it is stored and committed."""
        dialect = hot.database.engine.dialect
        prepared = self._prepared.get(dialect)
        if prepared is None:
            prepared = prepare(self.statement, dialect, names=list(self.returned))
            if prepared is None:
                raise TypeError("the statement has no fixed text")
            self._prepared[dialect] = prepared
        values = {name: getattr(new, name) for name in self.given}
        values |= {name: default() for name, default in self.defaults.items()}
        sent = prepared.arguments(values=arguments(values))
        (row,) = prepared.rows(await hot.fetch(prepared.sql, sent))
        return self.schema.model_validate(row)


def _check_default(column: Column[Any]) -> None:
    default: Any = column.default
    if default is not None and not (default.is_callable or default.is_scalar):
        raise TypeError(
            f"the default of {column} is computed by PostgreSQL: make it a server_default"
        )
