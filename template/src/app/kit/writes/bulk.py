"""Bulk statements: insert, update and delete many rows, in one statement or in batches.

Rows are mappings or Pydantic models, read in chunks. All rows of one call must have the same keys.
A composite primary key is a tuple. Keys are sent as arrays, because the driver accepts at most
32,767 parameters. Column defaults apply. Validators and methods of the model do not run, because no
ORM objects are created, except by `insert_returning` for a subclass with joined-table inheritance.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, cast

from pydantic import BaseModel
from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    CursorResult,
    func,
    insert,
    inspect,
    literal,
    select,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from app.kit.db.base import (
    Base,
    TimestampedModel,
    any_of,
    attribute_name,
    check_columns,
    key_attributes,
    next_version,
    python_default,
    table_columns,
    utc_now,
)
from app.kit.db.deletion import delete_where
from app.kit.db.session import Database
from app.kit.writes.transactions import run_with_retry

Row = Mapping[str, Any]
NewRow = Row | BaseModel

CHUNK_SIZE = 1000
# Sends None as NULL. By default, SQLAlchemy omits None, and groups rows into separate statements.
OPTIONS = {"render_nulls": True}


async def insert_many(
    session: AsyncSession, model: type[Base], rows: Iterable[NewRow], chunk: int = CHUNK_SIZE
) -> int:
    """Insert rows and return their number."""
    count = 0
    for part in chunks(model, rows, chunk):
        await session.execute(insert(model), insert_values(model, part), execution_options=OPTIONS)
        count += len(part)
    return count


async def insert_returning(
    session: AsyncSession, model: type[Base], rows: Iterable[NewRow], chunk: int = CHUNK_SIZE
) -> list[Any]:
    """Insert rows and return their primary keys, in the order of the rows."""
    mapper, key = inspect(model), key_attributes(model)
    keys: list[Any] = []
    for part in chunks(model, rows, chunk):
        new = insert_values(model, part)
        if all(column.key in new[0] for column in key):
            await session.execute(insert(model), new, execution_options=OPTIONS)
            keys += keys_of(model, new)
        elif len(mapper.tables) == 1:
            inserted = cast("Any", insert(model)).returning(*key, sort_by_parameter_order=True)
            keys += unpack_keys(await session.execute(inserted, new, execution_options=OPTIONS))
        else:
            # Joined-table inheritance: a subclass's table needs the primary keys of its base.
            records = [model(**row) for row in new]
            session.add_all(records)
            await session.flush()
            keys += unpack_keys(map(mapper.primary_key_from_instance, records))
    return keys


async def update_where(
    session: AsyncSession, model: type[Base], *conditions: ColumnElement[bool], values: Row
) -> int:
    """Update every row that matches the conditions. Return the number of rows."""
    changes = next_version(model) | dict(values)
    check_columns(model, changes)
    if len(inspect(model).tables) > 1:
        return await _update_tables(session, model, conditions, changes)
    key = key_attributes(model)[0]  # UPDATE needs a value: without any, set the key to itself
    statement = update(model).where(*conditions).values(changes or {key.key: key})
    result = await session.execute(statement)
    return cast("CursorResult[Any]", result).rowcount


async def _update_tables(
    session: AsyncSession, model: type[Base], conditions: Sequence[Any], changes: Row
) -> int:
    """Update a model with joined-table inheritance, with one statement per table."""
    columns, key = table_columns(inspect(model)), key_attributes(model)
    found = select(*key).where(*conditions).order_by(*key).with_for_update(key_share=True)
    keys = unpack_keys(await session.execute(found))
    for mapper in inspect(model).iterate_to_root() if keys else ():
        if mapper.single:
            continue  # Its columns are in the table of its base class.
        is_timestamped = not mapper.inherits and issubclass(model, TimestampedModel)
        values: dict[str, Any] = {"updated_at": utc_now()} if is_timestamped else {}
        values |= {n: each for n, each in changes.items() if columns[n].table is mapper.local_table}
        if values:
            entity: Any = mapper.class_
            # A value may be an expression with columns of the parent's table.
            joined = [] if mapper.inherit_condition is None else [mapper.inherit_condition]
            statement = update(entity).where(any_key(entity, keys), *joined)
            await session.execute(statement.values(values))
    return len(keys)


async def update_many(
    session: AsyncSession, model: type[Base], keys: Collection[Any], values: Row
) -> int:
    """Update the rows with these primary keys. Return the number of rows."""
    return await update_where(session, model, any_key(model, keys), values=values)


async def delete_many(session: AsyncSession, model: type[Base], keys: Collection[Any]) -> int:
    """Delete the rows with these primary keys, like `delete_row`. Return their number."""
    return await delete_where(session, model, any_key(model, keys))


async def update_in_batches(
    db: AsyncSession | Database,
    model: type[Base],
    *conditions: ColumnElement[bool],
    values: Row,
    size: int = CHUNK_SIZE,
) -> int:
    """Like `update_where`, with one statement per `size` rows, in the order of their primary keys.

    With the database instead of a session, each batch has its own transaction, with the retries of
    `run_with_retry`: locks are short, and committed batches survive an interruption.
    """
    return await run_in_batches(
        db, model, conditions, size, lambda session, keys: update_many(session, model, keys, values)
    )


async def delete_in_batches(
    db: AsyncSession | Database,
    model: type[Base],
    *conditions: ColumnElement[bool],
    size: int = CHUNK_SIZE,
) -> int:
    """Like `delete_where`, in batches like those of `update_in_batches`."""
    return await run_in_batches(
        db, model, conditions, size, lambda session, keys: delete_many(session, model, keys)
    )


async def run_in_batches(
    db: AsyncSession | Database,
    model: type[Base],
    conditions: Iterable[ColumnElement[bool]],
    size: int,
    write: Callable[[AsyncSession, list[Any]], Awaitable[int]],
    *,
    skip_locked: bool = False,
    **options: Any,
) -> int:
    """Lock rows in batches, call `write` with the keys of each batch, and return the sum."""
    key = key_attributes(model)
    matching = select(*key).where(*conditions).order_by(*key).limit(size)
    matching = matching.with_for_update(skip_locked=skip_locked).execution_options(**options)
    last, count = None, 0

    async def write_next(session: AsyncSession) -> tuple[Any, int]:
        rows = matching.where(tuple_(*key) > tuple(last)) if last else matching
        found = (await session.execute(rows)).all()
        written = await write(session, unpack_keys(found)) if found else 0
        return found[-1] if found and len(found) == size else None, written

    while True:
        batch = write_next(db) if isinstance(db, AsyncSession) else run_with_retry(db, write_next)
        last, written = await batch
        count += written
        if last is None:
            return count


def insert_values(model: type[Base], rows: Sequence[NewRow]) -> list[dict[str, Any]]:
    """Return the values of new rows, with the primary keys that Python generates."""
    mapper = inspect(model)
    fixed: dict[str, Any] = {}
    column, identity = mapper.polymorphic_on, mapper.polymorphic_identity
    if identity is not None and isinstance(column, Column) and column in mapper.columns.values():
        # SQLAlchemy sets it only if the attribute and the column have the same name.
        fixed = {attribute_name(mapper, column): identity}
    defaults = [python_default(column.default) for column in mapper.primary_key]
    keys = zip(key_attributes(model), defaults, strict=True)
    new = {key.key: default for key, default in keys if default}
    mappings: Any = map(vars, rows) if isinstance(rows[0], BaseModel) else rows
    return [{**fixed, **{name: new[name]() for name in new}, **row} for row in mappings]


def keys_of(model: type[Base], rows: Iterable[Row]) -> list[Any]:
    """Return the primary keys of rows that contain them."""
    names = [column.key for column in key_attributes(model)]
    return unpack_keys([row[name] for name in names] for row in rows)


def chunks(model: type[Base], rows: Iterable[NewRow], size: int) -> Iterator[list[NewRow]]:
    """Yield the rows in lists of `size`.

    Raises TypeError for an unknown column, and for rows with different keys.
    """
    remaining = iter(rows)
    first: Any = None
    while part := list(islice(remaining, size)):
        shape: Any = type if isinstance(part[0], BaseModel) else frozenset
        first = first or shape(part[0])
        if {shape(row) for row in part} != {first}:
            raise TypeError("All rows of one call must have the same keys.")
        check_columns(model, names_of(part[0]))
        yield part


def names_of(row: NewRow) -> Iterable[str]:
    """Return the attributes that a row sets: for a Pydantic model, all of its fields."""
    return type(row).model_fields if isinstance(row, BaseModel) else row


def unpack_keys(keys: Iterable[Sequence[Any]]) -> list[Any]:
    """Return primary keys of one column as values, and composite ones as tuples."""
    return [key[0] if len(key) == 1 else tuple(key) for key in keys]


def any_key(entity: Any, keys: Collection[Any]) -> ColumnElement[bool]:
    """Return the condition that the primary key is one of these keys."""
    columns = key_attributes(entity)
    if len(columns) == 1:
        return any_of(columns[0], keys)
    parts = zip(*keys, strict=True) if keys else [()] * len(columns)
    arrays = (literal([*part], ARRAY(each.type)) for each, part in zip(columns, parts, strict=True))
    rows = func.unnest(*arrays).table_valued(*(each.key for each in columns))
    return tuple_(*columns).in_(select(*rows.render_derived().c))
