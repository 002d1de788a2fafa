"""Many rows in few statements.

Rows are taken from an iterable a chunk at a time; those of one call all name the same columns.
Keys travel as one array: the driver takes no more than 32 767 parameters. No objects are made: a
model's column defaults apply, its methods do not.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, cast

from sqlalchemy import (
    Column,
    ColumnElement,
    CursorResult,
    insert,
    inspect,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from app.kit.db.attributes import attribute_name, next_version, table_columns
from app.kit.db.base import Record, among, now
from app.kit.db.deletion import erase_where
from app.kit.db.ids import Id

# `among` is imported from here too.
__all__ = [
    "CHUNK",
    "OPTIONS",
    "Row",
    "among",
    "chunks",
    "delete_many",
    "insert_many",
    "insert_returning",
    "update_many",
    "update_where",
    "with_class",
]

Row = Mapping[str, Any]

CHUNK = 1000
# A value that is None is sent as NULL: left out, as the ORM would, it would need a statement of
# its own for the rows that have it.
OPTIONS = {"render_nulls": True}


async def insert_many(
    session: AsyncSession, model: type[Record], rows: Iterable[Row], chunk: int = CHUNK
) -> int:
    """Insert rows and return how many there were."""
    count = 0
    for part in chunks(model, rows, chunk):
        new = with_class(model, part)
        await session.execute(insert(model), new, execution_options=OPTIONS)
        count += len(part)
    return count


async def insert_returning(
    session: AsyncSession, model: type[Record], rows: Iterable[Row], chunk: int = CHUNK
) -> list[Id]:
    """Insert rows and return their keys, in the order of the rows."""
    mapper = inspect(model)
    key_default: Any = mapper.primary_key[0].default
    keys: list[Id] = []
    for part in chunks(model, rows, chunk):
        if key_default is not None:
            # Keys that are made here need not be asked for.
            new = [{"id": key_default.arg(None)} | row for row in with_class(model, part)]
            await session.execute(insert(model), new, execution_options=OPTIONS)
            keys += [row["id"] for row in new]
        elif len(mapper.tables) == 1:
            ordered = insert(model).returning(model.id, sort_by_parameter_order=True)
            new = with_class(model, part)
            keys += await session.scalars(ordered, new, execution_options=OPTIONS)
        else:
            # Joined-table inheritance: the tables of subclasses wait for the keys of the base.
            records = [model(**row) for row in part]
            session.add_all(records)
            await session.flush()
            keys += [record.id for record in records]
    return keys


async def update_where(
    session: AsyncSession, model: type[Record], *conditions: ColumnElement[bool], values: Row
) -> int:
    """Set these columns of every row that meets the conditions; returns how many did."""
    mapper = inspect(model)
    changes = next_version(model) | dict(values)
    if unknown := changes.keys() - table_columns(mapper).keys():
        raise TypeError(f"{model.__name__} has no column {', '.join(sorted(unknown))}")
    if len(mapper.tables) > 1:
        return await _update_tables(session, model, conditions, changes)
    result = await session.execute(update(model).where(*conditions).values(changes))
    return cast("CursorResult[Any]", result).rowcount


async def _update_tables(
    session: AsyncSession,
    model: type[Record],
    conditions: Iterable[ColumnElement[bool]],
    changes: Row,
) -> int:
    """Update a model of joined-table inheritance: one statement for each of its tables."""
    mapper = inspect(model)
    found = select(model.id).where(*conditions).order_by(model.id)
    keys = (await session.scalars(found.with_for_update(key_share=True))).all()
    for part in mapper.iterate_to_root() if keys else ():
        stored: dict[str, Any] = {} if part.inherits else {"updated_at": now()}
        stored |= {
            name: value
            for name, value in changes.items()
            if table_columns(mapper)[name].table is part.local_table
        }
        if stored:
            table: Any = part.class_
            # An expression may name columns of the parent's table.
            joined = [] if part.inherit_condition is None else [part.inherit_condition]
            statement = update(table).where(among(table.id, keys), *joined)
            await session.execute(statement.values(stored))
    return len(keys)


async def update_many(
    session: AsyncSession, model: type[Record], keys: Collection[Id], values: Row
) -> int:
    """Set these columns of the rows with these keys; returns how many there were."""
    return await update_where(session, model, among(model.id, keys), values=values)


async def delete_many(session: AsyncSession, model: type[Record], keys: Collection[Id]) -> int:
    """Delete the rows with these keys, as `erase` would; returns how many there were."""
    return await erase_where(session, model, among(model.id, keys))


def with_class(model: type[Record], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add to new rows what tells their class, in a table that several classes share.

    SQLAlchemy does so by itself only where attribute and column have the same name.
    """
    mapper = inspect(model)
    column, identity = mapper.polymorphic_on, mapper.polymorphic_identity
    if identity is None or not isinstance(column, Column) or column not in mapper.columns.values():
        return rows
    return [{attribute_name(mapper, column): identity, **row} for row in rows]


def chunks(model: type[Record], rows: Iterable[Row], size: int) -> Iterator[list[dict[str, Any]]]:
    """The rows, so many at a time; a `TypeError` where one does not fit the model."""
    columns = table_columns(model.__mapper__).keys()
    remaining = iter(rows)
    named: set[str] | None = None
    while part := [dict(row) for row in islice(remaining, size)]:
        named = set(part[0]) if named is None else named
        if unknown := named - columns:
            raise TypeError(f"{model.__name__} has no column {', '.join(sorted(unknown))}")
        if any(row.keys() != named for row in part):
            raise TypeError("The rows of one call must all name the same columns.")
        yield part
