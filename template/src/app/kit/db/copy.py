"""COPY: the fastest way for very many rows into a table."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice, repeat
from operator import itemgetter
from typing import Any

import asyncpg
from sqlalchemy import Column, Dialect, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapper

from app.kit.db.attributes import table_columns
from app.kit.db.base import Record
from app.kit.db.bulk import Row

# The values of one column in some rows.
Values = Callable[[Sequence[Row]], Iterable[Any]]
# Rows that are converted at once.
_CHUNK = 1000


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


def _records(rows: Iterable[Row], columns: list[Values], named: int) -> Iterator[tuple[Any, ...]]:
    remaining = iter(rows)
    while part := list(islice(remaining, _CHUNK)):
        if set(map(len, part)) != {named}:
            raise TypeError("The rows of one COPY must all name the same columns.")
        # Column by column, which takes half as long as row by row.
        yield from zip(*(values(part) for values in columns), strict=True)


def _values(model: type[Record], row: Row, dialect: Dialect) -> dict[str, Values]:
    """Return how to get the values of each column: from the rows, or from the column's default."""
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
        if name in row or column.default is not None or _is_of_mapper(column, mapper)
    }
    return {
        columns[name].name: _converted(value, columns[name], dialect)
        for name, value in given.items()
    }


def _is_of_mapper(column: Column[Any], mapper: Mapper[Any]) -> bool:
    if column is mapper.version_id_col:
        return callable(mapper.version_id_generator)
    return column is mapper.polymorphic_on


def _given(name: str) -> Values:
    return lambda rows: map(itemgetter(name), rows)


def _default(column: Column[Any], mapper: Mapper[Any]) -> Values:
    if column is mapper.polymorphic_on:
        return lambda rows: repeat(mapper.polymorphic_identity, len(rows))
    generate: Any = mapper.version_id_generator
    if column is mapper.version_id_col and callable(generate):
        return lambda rows: map(generate, repeat(None, len(rows)))
    default: Any = column.default
    if default.is_callable:
        return lambda rows: map(default.arg, repeat(None, len(rows)))
    if default.is_scalar:
        return lambda rows: repeat(default.arg, len(rows))
    raise TypeError(f"COPY cannot compute the default of {column}: name it in the rows")


def _converted(values: Values, column: Column[Any], dialect: Dialect) -> Values:
    # As for any statement: an enumeration, say, is stored by its value.
    convert = column.type.dialect_impl(dialect).bind_processor(dialect)
    return values if convert is None else lambda rows: map(convert, values(rows))
