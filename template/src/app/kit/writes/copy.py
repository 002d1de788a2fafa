"""Bulk load with COPY, the fastest way to insert many rows."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain, repeat
from operator import attrgetter, itemgetter
from typing import Any

import asyncpg
from pydantic import BaseModel
from sqlalchemy import Column, Dialect, func, inspect, select
from sqlalchemy.dialects.postgresql import CITEXT
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Mapper
from sqlalchemy.sql.functions import now

from app.kit.db.base import (
    Base,
    check_one_table,
    key_attributes,
    python_default,
    table_columns,
    utc_now,
)
from app.kit.db.connections.asyncpg_driver import wrap_driver_error
from app.kit.writes.bulk import CHUNK_SIZE, NewRow, chunks, names_of, unpack_keys

CopyRow = NewRow  # deprecated; it is removed in 0.14
# Returns the values of one column for several rows.
ColumnValues = Callable[[Sequence[NewRow]], Iterable[Any]]
GetValue = Callable[[Any], Any]
Convert = Callable[[Any], Any]
_CITEXT_SCHEMA = """
    SELECT nspname FROM pg_type JOIN pg_namespace ON pg_namespace.oid = typnamespace
    WHERE pg_type.oid = 'citext'::regtype
"""
_ROWS_PER_COPY = 10 * CHUNK_SIZE


async def copy_rows(session: AsyncSession, model: type[Base], rows: Iterable[NewRow]) -> int:
    """Load rows with COPY in the session's transaction. Return the number of rows.

    PostgreSQL sets `created_at` and `updated_at`, unless the rows contain them. If it rejects one
    row, no row is stored.
    """
    parts = chunks(model, rows, CHUNK_SIZE)
    first = next(parts, None)
    return await _copy(session, model, {}, first, parts) if first else 0


async def copy_returning(
    session: AsyncSession, model: type[Base], rows: Iterable[NewRow]
) -> list[Any]:
    """Load rows with COPY, and return their primary keys, in the order of the rows."""
    keys: list[Any] = []
    for part in chunks(model, rows, _ROWS_PER_COPY):
        found: dict[str, Sequence[Any]] = {}
        for attribute in key_attributes(model):
            name, column = attribute.key, attribute.property.columns[0]
            found[name] = (
                [*map(_getter(part[0])(name), part)]
                if name in names_of(part[0])
                else await _new_values(session, column, len(part))
            )
        await _copy(session, model, found, part)
        keys += unpack_keys([*zip(*found.values(), strict=True)])
    return keys


async def _copy(
    session: AsyncSession,
    model: type[Base],
    keys: Mapping[str, Sequence[Any]],
    first: Sequence[NewRow],
    others: Iterable[Sequence[NewRow]] = (),
) -> int:
    """Load chunks of rows. `keys` has the primary keys of the first, by attribute."""
    await session.flush()
    connection = await session.connection()
    adapter = await _adapter_in_transaction(connection)
    driver = adapter.driver_connection
    # COPY encodes values for the column types that the driver cached, and PostgreSQL does not check
    # them. After a migration changed a type, PostgreSQL would store wrong values.
    await driver.reload_schema_state()
    table: Any = model.__table__
    if any(isinstance(column.type, CITEXT) for column in table.columns):
        # The driver encodes only built-in types for COPY. CITEXT has the format of text.
        schema = await driver.fetchval(_CITEXT_SCHEMA)
        await driver.set_builtin_type_codec("citext", schema=schema, codec_name="text")
    columns = _column_values(model, first[0], connection.dialect, keys)
    # Converting by column takes half as long as by row.
    records = chain.from_iterable(
        zip(*(values(part) for values in columns.values()), strict=True)
        for part in chain([first], others)
    )
    try:
        status: str = await driver.copy_records_to_table(
            table.name, schema_name=table.schema, columns=list(columns), records=records
        )
    except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        if "no binary format encoder" in str(error):
            message = f"copy_rows cannot write to {table.name}: {error}. Use `insert_many`."
            raise TypeError(message) from error
        raise await wrap_driver_error(error, f"COPY {table.name}", connection) from error
    return int(status.removeprefix("COPY "))


async def _adapter_in_transaction(connection: AsyncConnection) -> Any:
    """Send BEGIN if needed, and return SQLAlchemy's adapter of the connection."""
    adapter: Any = (await connection.get_raw_connection()).dbapi_connection
    # SQLAlchemy sends BEGIN before its first statement, but COPY runs on the driver, and would
    # commit at once. Only this private method sends BEGIN without another statement.
    if adapter._transaction is None:
        await adapter._start_transaction()
    return adapter


async def _new_values(session: AsyncSession, column: Column[Any], count: int) -> Sequence[Any]:
    """Return new values of a column that Python or PostgreSQL generates."""
    if compute := python_default(column.default):
        return [compute() for _ in range(count)]
    default: Any = column.default
    generated = getattr(column.server_default, "arg", None)
    if default is not None:
        generated = default.next_value() if default.is_sequence else default.arg
    elif generated is None:
        table = session.get_bind().dialect.identifier_preparer.format_table(column.table)
        generated = func.nextval(func.pg_get_serial_sequence(table, column.name))
    series = func.generate_series(1, count)
    # The series has this length already. The architecture rules require a bound in each function.
    return (await session.scalars(select(generated).select_from(series).limit(count))).all()


def _column_values(
    model: type[Base], row: NewRow, dialect: Dialect, keys: Mapping[str, Sequence[Any]]
) -> dict[str, ColumnValues]:
    """Return the functions for the columns that COPY sets. PostgreSQL sets the other columns."""
    check_one_table(model, "use `insert_many`")
    mapper, names = inspect(model), {*names_of(row)}
    get_value = _getter(row)
    found: dict[str, ColumnValues] = {}
    # With single-table inheritance, this excludes the columns of other subclasses.
    for name, column in table_columns(mapper).items():
        # The same conversion as for any statement. For example, an enum is stored by its value.
        convert = column.type.dialect_impl(dialect).bind_processor(dialect)
        if name in keys:
            found[column.name] = _given(keys[name], convert)
        elif name in names:
            found[column.name] = _per_row(get_value(name), convert)
        elif values := _default(column, mapper, convert):
            found[column.name] = values
    if not found:
        raise TypeError(f"copy_rows needs a value of at least one column of {model.__name__}")
    return found


def _getter(row: NewRow) -> Callable[[str], GetValue]:
    return attrgetter if isinstance(row, BaseModel) else itemgetter


def _default(
    column: Column[Any], mapper: Mapper[Any], convert: Convert | None
) -> ColumnValues | None:
    """Return the default values of a column. None: PostgreSQL sets them."""
    default: Any = column.default
    next_version: Any = mapper.version_id_generator
    if column is mapper.polymorphic_on:
        return _constant(lambda: mapper.polymorphic_identity, convert)
    if column is mapper.version_id_col and callable(next_version):
        return _per_row(lambda _row: next_version(None), convert)
    # PostgreSQL rejects a missing key, so it need not be checked.
    can_omit = column.server_default is not None or column.primary_key
    if default is None or (default.is_sequence and can_omit):
        return None
    is_now = default.is_callable and getattr(default.arg, "__wrapped__", None) is utc_now
    if is_now and isinstance(getattr(column.server_default, "arg", None), now):
        # Encoding two timestamps per row takes half of the driver's time.
        return None
    compute = python_default(default)
    if compute is None:
        raise TypeError(f"copy_rows cannot compute the default of {column}: set it in each row")
    if is_now or default.is_scalar:
        # All rows of a chunk get the same time, because a call per row would be slow.
        return _constant(compute, convert)
    return _per_row(lambda _row: compute(), convert)


def _per_row(get_value: GetValue, convert: Convert | None) -> ColumnValues:
    if convert is None:
        return lambda rows: map(get_value, rows)
    return lambda rows: map(convert, map(get_value, rows))


def _given(values: Sequence[Any], convert: Convert | None) -> ColumnValues:
    return lambda _rows: map(convert, values) if convert else values


def _constant(get_value: Callable[[], Any], convert: Convert | None) -> ColumnValues:
    # Called and converted once per chunk.
    return lambda rows: repeat(convert(get_value()) if convert else get_value(), len(rows))
