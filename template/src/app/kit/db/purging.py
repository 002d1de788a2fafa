"""Removing for good what was deleted long ago."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    ForeignKeyConstraint,
    delete,
    exists,
    inspect,
    or_,
    select,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapper, aliased

from app.kit.db.attributes import attribute_name
from app.kit.db.base import Base, table_name
from app.kit.db.bulk import CHUNK, among
from app.kit.db.deletion import INCLUDE_DELETED, Entity
from app.kit.db.ids import Id
from app.kit.db.session import Database


async def purge(database: Database, before: datetime, size: int = CHUNK) -> dict[str, int]:
    """Remove what was deleted before this time; returns how many rows of which table.

    One transaction per batch of `size` rows. A row is kept while an `Entity` that is not removed
    itself refers to it with ON DELETE CASCADE, or any row with RESTRICT or NO ACTION.
    """
    removed: dict[str, int] = {}
    for model in _children_first():
        count = 0
        # A row that refers to its own table goes before the row that it refers to.
        while part := await _purge_table(database, model, before, size):
            count += part
            if not _refers_to_itself(model):
                break
        removed[table_name(model)] = count
    return removed


async def _purge_table(database: Database, model: type[Entity], before: datetime, size: int) -> int:
    last: list[Id] = []
    count = 0
    while True:
        async with database.transaction() as session:
            last = await _next(session, model, before, last, size)
            count += await _remove(session, model, last)
        if len(last) < size:
            return count


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
    kept = [
        _is_referred_to(model, referring, key, before) for referring, key in _cascades_to(model)
    ]
    due = (
        select(model.id)
        .where(model.deleted_at < before, *(~each for each in kept))
        .order_by(model.id)
        .limit(size)
    )
    beyond = due.where(model.id > last[-1]) if last else due
    locked = beyond.with_for_update(skip_locked=True)
    return list(await session.scalars(locked, execution_options=INCLUDE_DELETED))


def _cascades_to(model: type[Entity]) -> list[tuple[Mapper[Any], ForeignKeyConstraint]]:
    """Return the foreign keys by which PostgreSQL would delete entities with a row of the model."""
    tables = {each.local_table for each in inspect(model).self_and_descendants}
    found: list[tuple[Mapper[Any], ForeignKeyConstraint]] = []
    for mapper in Base.registry.mappers:
        table: Any = mapper.local_table
        if not issubclass(mapper.class_, Entity) or mapper.single:
            continue
        for key in table.foreign_key_constraints:
            # The rows of a joined subclass are parts of the row.
            is_part = mapper.inherits and set(key.columns) == set(table.primary_key)
            if key.ondelete == "CASCADE" and key.referred_table in tables and not is_part:
                found.append((mapper, key))
    return found


def _refers_to_itself(model: type[Entity]) -> bool:
    return any(referring.base_mapper.class_ is model for referring, _ in _cascades_to(model))


def _is_referred_to(
    model: type[Entity], referring: Mapper[Any], key: ForeignKeyConstraint, before: datetime
) -> ColumnElement[bool]:
    """Return whether a row of an entity refers to a row of the model by this foreign key."""
    child: Any = aliased(referring.class_, flat=True)
    target: Any = key.referred_table.alias()
    (target_id,) = target.primary_key
    joined = (
        getattr(child, attribute_name(referring, element.parent)) == target.c[element.column.key]
        for element in key.elements
    )
    found = exists(child.id).where(target_id == model.id, *joined)
    order = _children_first()
    base = referring.base_mapper.class_
    if base is model:
        found = found.where(child.id != model.id)
    if order.index(base) > order.index(model):
        # Tables refer to each other in a circle: rows that are removed later are no reason.
        found = found.where(or_(child.deleted_at.is_(None), child.deleted_at >= before))
    return found


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
