"""Removing for good what was deleted long ago."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.kit.db.base import Base, table_name
from app.kit.db.bulk import CHUNK, among
from app.kit.db.deletion import INCLUDE_DELETED, Entity
from app.kit.db.ids import Id
from app.kit.db.session import Database


async def purge(database: Database, before: datetime, size: int = CHUNK) -> dict[str, int]:
    """Remove what was deleted before this time; returns how many rows of which table.

    So many rows a transaction. A row that something living still refers to is kept.
    """
    removed: dict[str, int] = {}
    for model in _children_first():
        last: list[Id] = []
        count = 0
        while True:
            async with database.transaction() as session:
                last = await _next(session, model, before, last, size)
                count += await _remove(session, model, last)
            if len(last) < size:
                break
        removed[table_name(model)] = count
    return removed


def _children_first() -> list[type[Entity]]:
    # Parents first would be right as well, by ON DELETE CASCADE, but with batches of any size.
    # A subclass is removed with its base, whatever table it is in.
    models = {
        mapper.local_table: mapper.class_
        for mapper in Base.registry.mappers
        if mapper is mapper.base_mapper
    }
    ordered = [models.get(table) for table in reversed(Base.metadata.sorted_tables)]
    return [model for model in ordered if model is not None and issubclass(model, Entity)]


async def _next(
    session: AsyncSession, model: type[Entity], before: datetime, last: list[Id], size: int
) -> list[Id]:
    """The keys of the next batch; rows that somebody is restoring are passed over."""
    due = select(model.id).where(model.deleted_at < before).order_by(model.id).limit(size)
    beyond = due.where(model.id > last[-1]) if last else due
    locked = beyond.with_for_update(skip_locked=True)
    return list(await session.scalars(locked, execution_options=INCLUDE_DELETED))


async def _remove(session: AsyncSession, model: type[Entity], keys: Sequence[Id]) -> int:
    if not keys:
        return 0
    statement = delete(model).where(among(model.id, keys))
    try:
        async with session.begin_nested():
            result = await session.execute(statement, execution_options=INCLUDE_DELETED)
    except IntegrityError:
        # Some of them are referred to, by what keeps them (ON DELETE RESTRICT): look for those.
        if len(keys) == 1:
            return 0
        half = len(keys) // 2
        first = await _remove(session, model, keys[:half])
        return first + await _remove(session, model, keys[half:])
    return cast("CursorResult[Any]", result).rowcount
