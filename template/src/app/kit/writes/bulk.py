"""Bulk statements: insert, update and delete many rows, in one statement or in batches.

Rows are read from an iterable in chunks. All rows of one call must have the same keys. Primary keys
are sent as one array, because the driver accepts at most 32,767 parameters. Column defaults apply.
Validators and methods of the model do not run, because no ORM objects are created, except by
`insert_returning` for a subclass with joined-table inheritance.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, cast

from sqlalchemy import Column, ColumnElement, CursorResult, insert, inspect, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.kit.db.base import (
    Base,
    TimestampedModel,
    any_of,
    attribute_name,
    check_columns,
    next_version,
    table_columns,
    utc_now,
)
from app.kit.db.deletion import delete_where
from app.kit.db.ids import Id
from app.kit.db.session import Database
from app.kit.writes.transactions import run_with_retry

Row = Mapping[str, Any]

CHUNK_SIZE = 1000
# Sends None as NULL. By default, SQLAlchemy omits None, and groups rows into separate statements.
OPTIONS = {"render_nulls": True}


async def insert_many(
    session: AsyncSession,
    model: type[Base],
    rows: Iterable[Row],
    chunk: int = CHUNK_SIZE,
) -> int:
    """Insert rows and return their number."""
    count = 0
    for part in chunks(model, rows, chunk):
        new = with_discriminator(model, part)
        await session.execute(insert(model), new, execution_options=OPTIONS)
        count += len(part)
    return count


async def insert_returning(
    session: AsyncSession,
    model: type[TimestampedModel],
    rows: Iterable[Row],
    chunk: int = CHUNK_SIZE,
) -> list[Id]:
    """Insert rows and return their primary keys, in the order of the rows."""
    mapper = inspect(model)
    key_default: Any = mapper.primary_key[0].default
    keys: list[Id] = []
    for part in chunks(model, rows, chunk):
        if key_default is not None and not key_default.is_sequence:
            # Python generates the keys, without RETURNING. `arg` takes SQLAlchemy's context.
            new = [{"id": key_default.arg(None)} | row for row in with_discriminator(model, part)]
            await session.execute(insert(model), new, execution_options=OPTIONS)
            keys += [row["id"] for row in new]
        elif len(mapper.tables) == 1:
            ordered = insert(model).returning(model.id, sort_by_parameter_order=True)
            new = with_discriminator(model, part)
            keys += await session.scalars(ordered, new, execution_options=OPTIONS)
        else:
            # Joined-table inheritance: a subclass's table needs the primary keys of its base.
            records = [model(**row) for row in part]
            session.add_all(records)
            await session.flush()
            keys += [record.id for record in records]
    return keys


async def update_where(
    session: AsyncSession,
    model: type[TimestampedModel],
    *conditions: ColumnElement[bool],
    values: Row,
) -> int:
    """Update every row that matches the conditions. Return the number of rows."""
    changes = next_version(model) | dict(values)
    check_columns(model, changes)
    if len(inspect(model).tables) > 1:
        return await _update_tables(session, model, conditions, changes)
    result = await session.execute(update(model).where(*conditions).values(changes))
    return cast("CursorResult[Any]", result).rowcount


async def _update_tables(
    session: AsyncSession,
    model: type[TimestampedModel],
    conditions: Iterable[ColumnElement[bool]],
    changes: Row,
) -> int:
    """Update a model with joined-table inheritance, with one statement per table."""
    columns = table_columns(inspect(model))
    found = select(model.id).where(*conditions).order_by(model.id)
    keys = (await session.scalars(found.with_for_update(key_share=True))).all()
    for mapper in inspect(model).iterate_to_root() if keys else ():
        if mapper.single:
            continue  # Its columns are in the table of its base class.
        values: dict[str, Any] = {} if mapper.inherits else {"updated_at": utc_now()}
        values |= {
            name: value
            for name, value in changes.items()
            if columns[name].table is mapper.local_table
        }
        if values:
            entity: Any = mapper.class_
            # A value may be an expression with columns of the parent's table.
            joined = [] if mapper.inherit_condition is None else [mapper.inherit_condition]
            statement = update(entity).where(any_of(entity.id, keys), *joined)
            await session.execute(statement.values(values))
    return len(keys)


async def update_many(
    session: AsyncSession, model: type[TimestampedModel], keys: Collection[Id], values: Row
) -> int:
    """Update the rows with these primary keys. Return the number of rows."""
    return await update_where(session, model, any_of(model.id, keys), values=values)


async def delete_many(
    session: AsyncSession, model: type[TimestampedModel], keys: Collection[Id]
) -> int:
    """Delete the rows with these primary keys, like `delete_row`. Return their number."""
    return await delete_where(session, model, any_of(model.id, keys))


async def update_in_batches(
    db: AsyncSession | Database,
    model: type[TimestampedModel],
    *conditions: ColumnElement[bool],
    values: Row,
    size: int = CHUNK_SIZE,
) -> int:
    """Like `update_where`, with one statement per `size` rows, in the order of their primary keys.

    With the database instead of a session, each batch has its own transaction, with the retries of
    `run_with_retry`: locks are short, and committed batches survive an interruption.
    """
    return await _in_batches(
        db, model, conditions, size, lambda session, keys: update_many(session, model, keys, values)
    )


async def delete_in_batches(
    db: AsyncSession | Database,
    model: type[TimestampedModel],
    *conditions: ColumnElement[bool],
    size: int = CHUNK_SIZE,
) -> int:
    """Like `delete_where`, in batches like those of `update_in_batches`."""
    return await _in_batches(
        db, model, conditions, size, lambda session, keys: delete_many(session, model, keys)
    )


async def _in_batches(
    db: AsyncSession | Database,
    model: type[TimestampedModel],
    conditions: Iterable[ColumnElement[bool]],
    size: int,
    write: Callable[[AsyncSession, Collection[Id]], Awaitable[object]],
) -> int:
    last: Id | None = None
    count = 0

    async def write_next(session: AsyncSession) -> list[Id]:
        rows = select(model.id).where(*conditions).order_by(model.id).limit(size).with_for_update()
        if last is not None:
            # Skips the rows of earlier batches.
            rows = rows.where(model.id > last)
        keys = list(await session.scalars(rows))
        if keys:
            await write(session, keys)
        return keys

    while True:
        if isinstance(db, AsyncSession):
            keys = await write_next(db)
        else:
            keys = await run_with_retry(db, write_next)
        if not keys:
            return count
        count += len(keys)
        last = keys[-1]


def with_discriminator(model: type[Base], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Set the discriminator column of new rows, for single-table inheritance.

    SQLAlchemy sets it only if its attribute and column have the same name.
    """
    mapper = inspect(model)
    column, identity = mapper.polymorphic_on, mapper.polymorphic_identity
    if identity is None or not isinstance(column, Column) or column not in mapper.columns.values():
        return rows
    return [{attribute_name(mapper, column): identity, **row} for row in rows]


def chunks(model: type[Base], rows: Iterable[Row], size: int) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows in lists of `size`.

    Raises TypeError for an unknown column, and for rows with different keys.
    """
    remaining = iter(rows)
    names: set[str] | None = None
    while part := [dict(row) for row in islice(remaining, size)]:
        if names is None:
            names = set(part[0])
            check_columns(model, names)
        if any(row.keys() != names for row in part):
            raise TypeError("All rows of one call must have the same keys.")
        yield part
