"""Inserts for the few endpoints that write most: one statement, which is its own transaction.

A unit of work takes three round trips and several times the CPU to insert one row. Here the driver
runs one INSERT on a connection of the pool on which no transaction was begun: PostgreSQL commits it
before it answers. Whatever takes two statements stays with a session.

Kept are the pool and its check of each connection, the limits of the server, the column defaults of
the model, the conversion of types, the constraints, and errors that are answered the same way. The
methods of the model do not run: what they guard, the schema or a CHECK constraint has to guard.
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from fastapi import Depends, Request
from pydantic import BaseModel
from sqlalchemy import Column, Dialect, bindparam, insert
from sqlalchemy.orm import DeclarativeBase

from app.kit.db.attributes import attribute_name, column_of, table_columns
from app.kit.db.compiled import AnyInsert, CompiledRead, compile_returning
from app.kit.db.driver import Rows
from app.kit.db.session import Database, database_of

S = TypeVar("S", bound=BaseModel)


class HotWrites:
    """How a request runs statements that are each a transaction."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def fetch(self, sql: str, values: Sequence[Any]) -> Rows:
        """The rows that a statement returns, once it is committed.

        Raises OutcomeUnknown where the connection breaks before the response of the server.
        """
        return await self.database.fetch_committed(sql, values)


async def hot_writes(request: Request) -> HotWrites:
    """How this request runs them: on the primary."""
    return HotWrites(database_of(request))


HotWrite = Annotated[HotWrites, Depends(hot_writes)]


class HotInsert(Generic[S]):
    """An INSERT of one row, whose columns `given` names; the row is answered as the schema.

    A None that is given is stored as NULL; a session would take the default of the column.
    """

    def __init__(
        self, model: type[DeclarativeBase], given: type[BaseModel], schema: type[S]
    ) -> None:
        if model.__mapper__.version_id_col is not None:
            raise TypeError(f"{model.__name__} counts its versions: create it with a session")
        mapper: Any = model.__mapper__
        if len(mapper.tables) != 1:
            raise TypeError(f"{model.__name__} is stored in several tables: use a session")
        self.schema = schema
        self.given = tuple(given.model_fields)
        # PostgreSQL knows no default of Python.
        self.defaults = {
            name: _default(column)
            for name, column in table_columns(mapper).items()
            if column.default is not None and name not in self.given
        }
        if mapper.polymorphic_on is not None:
            self.defaults |= _discriminator(model, self.given)
        columns = {
            name: column_of(model, name, used_by=given.__name__)
            for name in (*self.given, *self.defaults)
        }
        values: Any = {
            column: bindparam(f"new__{name}", type_=column.type) for name, column in columns.items()
        }
        self.returned: dict[str, Any] = {
            name: column_of(model, name, used_by=schema.__name__) for name in schema.model_fields
        }
        table: Any = mapper.local_table
        self.statement: AnyInsert = insert(table).values(values).returning(*self.returned.values())
        self._compiled: WeakKeyDictionary[Dialect, CompiledRead] = WeakKeyDictionary()

    async def create(self, hot: HotWrites, new: BaseModel) -> S:
        """The row as it is stored and committed."""
        dialect = hot.database.engine.dialect
        compiled = self._compiled.get(dialect)
        if compiled is None:
            compiled = compile_returning(self.statement, self.returned, dialect)
            self._compiled[dialect] = compiled
        values = {f"new__{name}": getattr(new, name) for name in self.given}
        values |= {f"new__{name}": default() for name, default in self.defaults.items()}
        (row,) = compiled.rows(await hot.fetch(compiled.sql, compiled.values(values)))
        return self.schema.model_validate(row)


def _discriminator(model: Any, given: tuple[str, ...]) -> dict[str, Callable[[], Any]]:
    """What tells the class of a row in a table that several classes share."""
    mapper = model.__mapper__
    identity, column = mapper.polymorphic_identity, mapper.polymorphic_on
    if identity is None or column not in mapper.local_table.c.values():
        raise TypeError(f"{model.__name__} is stored as one of its subclasses: name a subclass")
    name = attribute_name(mapper, column)
    if name in given:
        raise TypeError(f"{model.__name__}.{name} is set by its class: leave it out of the input")
    return {name: lambda: identity}


def _default(column: Column[Any]) -> Callable[[], Any]:
    default: Any = column.default
    if default.is_callable:
        return lambda: default.arg(None)
    if default.is_scalar:
        return lambda: default.arg
    raise TypeError(f"the default of {column} is computed by PostgreSQL: make it a server_default")
