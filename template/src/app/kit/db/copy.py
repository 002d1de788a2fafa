"""COPY: the fastest way for very many rows into a table."""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

import asyncpg
from sqlalchemy import Column, Dialect, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapper

from app.kit.db.attributes import table_columns
from app.kit.db.base import Record
from app.kit.db.bulk import Row

Value = Callable[[Row], Any]


async def copy_rows(session: AsyncSession, model: type[Record], rows: Iterable[Row]) -> int:
    """Load rows through COPY, in the transaction of the session; returns how many there were.

    All rows name the columns that the first one names. One bad row fails them all.
    """
    remaining = iter(rows)
    first = next(remaining, None)
    if first is None:
        return 0
    await session.flush()
    connection = await session.connection()
    # SQLAlchemy begins a transaction with its first statement, and COPY is none of its own:
    # without one before it, the rows would be committed at once.
    await connection.execute(text("SELECT 1"))
    driver: Any = (await connection.get_raw_connection()).driver_connection
    # COPY encodes for the types that the driver remembers, and PostgreSQL does not check them: an
    # integer would become part of a float in a column that a migration has changed.
    await driver.reload_schema_state()
    table: Any = model.__table__
    values = _values(model, first, connection.dialect)
    try:
        status: str = await driver.copy_records_to_table(
            table.name,
            schema_name=table.schema,
            columns=list(values),
            records=_records(chain([first], remaining), list(values.values()), len(first)),
        )
    except asyncpg.PostgresError as error:
        raise DBAPIError(f"COPY {table.name}", None, error) from error
    return int(status.removeprefix("COPY "))


def _records(rows: Iterable[Row], values: list[Value], named: int) -> Iterator[tuple[Any, ...]]:
    for row in rows:
        if len(row) != named:
            raise TypeError("The rows of one COPY must all name the same columns.")
        yield tuple(value(row) for value in values)


def _values(model: type[Record], row: Row, dialect: Dialect) -> dict[str, Value]:
    """How to get the value of each column: from the row, or from the default of the client."""
    mapper = inspect(model)
    if len(mapper.tables) > 1:
        raise TypeError(
            f"COPY fills one table, {model.__name__} has {len(mapper.tables)}: use `insert_many`"
        )
    # By attribute; a subclass in the same table (single-table inheritance) has only its own.
    columns = table_columns(mapper)
    if unknown := row.keys() - columns.keys():
        raise TypeError(f"{model.__name__} has no column {', '.join(sorted(unknown))}")
    # A column that is neither here nor there is left to PostgreSQL.
    given = {
        name: _given(name) if name in row else _default(column, mapper)
        for name, column in columns.items()
        if name in row or column.default is not None or column is mapper.polymorphic_on
    }
    return {
        columns[name].name: _converted(value, columns[name], dialect)
        for name, value in given.items()
    }


def _given(name: str) -> Value:
    return lambda row: row[name]


def _default(column: Column[Any], mapper: Mapper[Any]) -> Value:
    if column is mapper.polymorphic_on:
        return lambda _row: mapper.polymorphic_identity
    default: Any = column.default
    if default.is_callable:
        return lambda _row: default.arg(None)
    if default.is_scalar:
        return lambda _row: default.arg
    raise TypeError(f"COPY cannot compute the default of {column}: name it in the rows")


def _converted(value: Value, column: Column[Any], dialect: Dialect) -> Value:
    # As for any statement: an enumeration, say, is stored by its value.
    convert = column.type.dialect_impl(dialect).bind_processor(dialect)
    return value if convert is None else lambda row: convert(value(row))
