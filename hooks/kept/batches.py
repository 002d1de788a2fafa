"""Batches in a loop of the caller, which 0.10.0 removes. Replace it with `delete_in_batches`."""

from collections.abc import Awaitable, Callable, Iterable, Sequence

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.kit.db.base import TimestampedModel
from app.kit.db.ids import Id
from app.kit.db.session import Database
from app.kit.writes.bulk import CHUNK_SIZE, Row, delete_many, update_many
from app.kit.writes.transactions import run_with_retry

# Writes the rows after a primary key, and returns their primary keys.
Batch = Callable[[AsyncSession, Id | None], Awaitable[Sequence[Id]]]


async def in_batches(database: Database, batch: Batch) -> int:
    """Run `batch` repeatedly, one transaction each, until no rows are left. Return the count."""
    last: Id | None = None
    count = 0

    async def write_next(session: AsyncSession) -> Sequence[Id]:
        return await batch(session, last)

    while keys := await run_with_retry(database, write_next):
        count += len(keys)
        last = keys[-1]
    return count


async def update_batch(
    session: AsyncSession,
    model: type[TimestampedModel],
    *conditions: ColumnElement[bool],
    values: Row,
    after: Id | None = None,
    size: int = CHUNK_SIZE,
) -> list[Id]:
    """Update the first `size` rows after a primary key that match. Return their primary keys."""
    keys = await _lock(session, model, conditions, after, size)
    if keys:
        await update_many(session, model, keys, values)
    return keys


async def delete_batch(
    session: AsyncSession,
    model: type[TimestampedModel],
    *conditions: ColumnElement[bool],
    after: Id | None = None,
    size: int = CHUNK_SIZE,
) -> list[Id]:
    """Delete the first `size` rows after a primary key that match. Return their primary keys."""
    keys = await _lock(session, model, conditions, after, size)
    if keys:
        await delete_many(session, model, keys)
    return keys


async def _lock(
    session: AsyncSession,
    model: type[TimestampedModel],
    conditions: Iterable[ColumnElement[bool]],
    after: Id | None,
    size: int,
) -> list[Id]:
    rows = select(model.id).where(*conditions).order_by(model.id).limit(size).with_for_update()
    if after is not None:
        rows = rows.where(model.id > after)
    return list(await session.scalars(rows))
