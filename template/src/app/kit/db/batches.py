"""Changes by criteria to very many rows, so many of them at a time.

Each batch locks its rows in the order of their keys. Those of `in_batches` are committed one by
one: locks are short, an interruption keeps what was done, and whoever begins anew finishes it.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.kit.db.base import Record
from app.kit.db.bulk import CHUNK, Row, delete_many, update_many
from app.kit.db.ids import Id
from app.kit.db.retry import retrying
from app.kit.db.session import Database

# Changes the rows that come after a key, and returns their keys.
Batch = Callable[[AsyncSession, Id | None], Awaitable[Sequence[Id]]]


async def in_batches(database: Database, batch: Batch) -> int:
    """Do batch after batch, each a transaction, until there is none; returns how many rows."""
    last: Id | None = None
    count = 0

    async def following(session: AsyncSession) -> Sequence[Id]:
        return await batch(session, last)

    while keys := await retrying(database, following):
        count += len(keys)
        last = keys[-1]
    return count


async def update_batch(
    session: AsyncSession,
    model: type[Record],
    *conditions: ColumnElement[bool],
    values: Row,
    after: Id | None = None,
    size: int = CHUNK,
) -> list[Id]:
    """Set these columns of the first rows after a key that meet the conditions; their keys."""
    keys = await _lock(session, model, conditions, after, size)
    if keys:
        await update_many(session, model, keys, values)
    return keys


async def delete_batch(
    session: AsyncSession,
    model: type[Record],
    *conditions: ColumnElement[bool],
    after: Id | None = None,
    size: int = CHUNK,
) -> list[Id]:
    """Delete, as `erase` would, the first rows after a key that meet the conditions; their keys."""
    keys = await _lock(session, model, conditions, after, size)
    if keys:
        await delete_many(session, model, keys)
    return keys


async def update_in_batches(
    session: AsyncSession,
    model: type[Record],
    *conditions: ColumnElement[bool],
    values: Row,
    size: int = CHUNK,
) -> int:
    """Like `update_where`, in one transaction but so many rows a statement."""
    count = 0
    async for keys in _batches(session, model, conditions, size):
        count += await update_many(session, model, keys, values)
    return count


async def delete_in_batches(
    session: AsyncSession, model: type[Record], *conditions: ColumnElement[bool], size: int = CHUNK
) -> int:
    """Like `erase_where`, in one transaction but so many rows a statement."""
    count = 0
    async for keys in _batches(session, model, conditions, size):
        count += await delete_many(session, model, keys)
    return count


async def _batches(
    session: AsyncSession, model: type[Record], conditions: Iterable[ColumnElement[bool]], size: int
) -> AsyncGenerator[list[Id]]:
    last: Id | None = None
    while keys := await _lock(session, model, conditions, last, size):
        yield keys
        last = keys[-1]


async def _lock(
    session: AsyncSession,
    model: type[Record],
    conditions: Iterable[ColumnElement[bool]],
    after: Id | None,
    size: int,
) -> list[Id]:
    wanted = select(model.id).where(*conditions).order_by(model.id).limit(size).with_for_update()
    if after is not None:
        # Rows that were changed before need not be passed over again.
        wanted = wanted.where(model.id > after)
    return list(await session.scalars(wanted))
