"""Bulk load with COPY, the fastest way to insert many rows."""

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
from app.kit.db.base import Record, now
from app.kit.db.bulk import Row

# Returns the values of one column for several rows.
Values = Callable[[Sequence[Row]], Iterable[Any]]
# Rows per conversion step.
_CHUNK = 1000


async def copy_rows(session: AsyncSession, model: type[Record], rows: Iterable[Row]) -> int:
    """Load rows with COPY in the session's transaction. Return the number of rows.

    All rows must name the same columns. If PostgreSQL rejects one row, no row is stored.
    """
    remaining = iter(rows)
    first = next(remaining, None)
    if first is None:
        return 0
    await session.flush()
    connection = await session.connection()
    # Starts the transaction. SQLAlchemy sends BEGIN before its first statement, but COPY runs on
    # the driver, and would commit at once.
    await connection.execute(text("SELECT 1"))
    driver: Any = (await connection.get_raw_connection()).driver_connection
    # COPY encodes values for the column types that the driver cached, and PostgreSQL does not check
    # them. After a migration changes a type, it would store wrong values.
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
        # Converting by column takes half as long as by row.
        yield from zip(*(values(part) for values in columns), strict=True)


def _values(model: type[Record], row: Row, dialect: Dialect) -> dict[str, Values]:
    """Return a function per column that returns its values, from the rows or from its default."""
    mapper = inspect(model)
    if len(mapper.tables) > 1:
        raise TypeError(
            f"copy_rows writes one table, but {model.__name__} has {len(mapper.tables)}:"
            " use `insert_many`"
        )
    # With single-table inheritance, this excludes the columns of other subclasses.
    columns = table_columns(mapper)
    if unknown := row.keys() - columns.keys():
        raise TypeError(f"{model.__name__} has no column {', '.join(sorted(unknown))}")
    # PostgreSQL sets the other columns, from their server defaults.
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
    if getattr(default.arg, "__wrapped__", None) is now:
        # All rows of a chunk get the same time, because a call per row would be slow.
        return lambda rows: repeat(now(), len(rows))
    if default.is_callable:
        return lambda rows: map(default.arg, repeat(None, len(rows)))
    if default.is_scalar:
        return lambda rows: repeat(default.arg, len(rows))
    raise TypeError(f"copy_rows cannot compute the default of {column}: set it in each row")


def _converted(values: Values, column: Column[Any], dialect: Dialect) -> Values:
    # The same conversion as for any statement. For example, an enum is stored by its value.
    convert = column.type.dialect_impl(dialect).bind_processor(dialect)
    return values if convert is None else lambda rows: map(convert, values(rows))
