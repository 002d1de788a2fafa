"""Update or delete many rows in batches.

Each batch locks its rows in the order of their primary keys. `run_in_batches` commits each batch:
locks are short, and committed batches survive an interruption. Run it again to process the rest.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.kit.db.base import TimestampedModel
from app.kit.db.ids import Id
from app.kit.db.session import Database
from app.kit.writes.bulk import CHUNK_SIZE, Row, delete_many, update_many
from app.kit.writes.transactions import run_with_retry

# Writes the rows after a primary key, and returns their primary keys.
BatchStep = Callable[[AsyncSession, Id | None], Awaitable[Sequence[Id]]]


async def run_in_batches(database: Database, batch: BatchStep) -> int:
    """Run `batch` repeatedly, one transaction each, until no rows are left. Return the count."""
    last: Id | None = None
    count = 0

    async def following(session: AsyncSession) -> Sequence[Id]:
        return await batch(session, last)

    while keys := await run_with_retry(database, following):
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
    """Delete the first `size` rows after a primary key that match. Return their primary keys.

    Deletes in the same way as `erase`.
    """
    keys = await _lock(session, model, conditions, after, size)
    if keys:
        await delete_many(session, model, keys)
    return keys


async def update_in_batches(
    session: AsyncSession,
    model: type[TimestampedModel],
    *conditions: ColumnElement[bool],
    values: Row,
    size: int = CHUNK_SIZE,
) -> int:
    """Like `update_where`, with several statements of `size` rows, in the session's transaction."""
    count = 0
    async for keys in _batches(session, model, conditions, size):
        count += await update_many(session, model, keys, values)
    return count


async def delete_in_batches(
    session: AsyncSession,
    model: type[TimestampedModel],
    *conditions: ColumnElement[bool],
    size: int = CHUNK_SIZE,
) -> int:
    """Like `delete_where`, with several statements of `size` rows, in the session's transaction."""
    count = 0
    async for keys in _batches(session, model, conditions, size):
        count += await delete_many(session, model, keys)
    return count


async def _batches(
    session: AsyncSession,
    model: type[TimestampedModel],
    conditions: Iterable[ColumnElement[bool]],
    size: int,
) -> AsyncGenerator[list[Id]]:
    last: Id | None = None
    while keys := await _lock(session, model, conditions, last, size):
        yield keys
        last = keys[-1]


async def _lock(
    session: AsyncSession,
    model: type[TimestampedModel],
    conditions: Iterable[ColumnElement[bool]],
    after: Id | None,
    size: int,
) -> list[Id]:
    rows = select(model.id).where(*conditions).order_by(model.id).limit(size).with_for_update()
    if after is not None:
        # Skips the rows of earlier batches.
        rows = rows.where(model.id > after)
    return list(await session.scalars(rows))
