"""Removing for good what was deleted long ago."""

from collections.abc import Iterator, Sequence
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
    itself refers to it with ON DELETE CASCADE, also through other rows, or any row with RESTRICT or
    NO ACTION. Rows of one table that refer to each other in a circle are kept.
    """
    removed: dict[str, int] = {}
    for model in _children_first():
        count = 0
        # A row that refers to its own table, perhaps through others, goes before the row that it
        # refers to.
        while part := await _purge_table(database, model, before, size):
            count += part
            if model not in _reached_from(inspect(model)):
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
    kept = _Reasons(model, before).to_keep(inspect(model), model)
    due = (
        select(model.id)
        .where(model.deleted_at < before, *(~each for each in kept))
        .order_by(model.id)
        .limit(size)
    )
    beyond = due.where(model.id > last[-1]) if last else due
    locked = beyond.with_for_update(skip_locked=True)
    return list(await session.scalars(locked, execution_options=INCLUDE_DELETED))


def _cascades_to(mapper: Mapper[Any]) -> list[tuple[Mapper[Any], ForeignKeyConstraint]]:
    """Return the foreign keys by which PostgreSQL would delete rows with a row of the model."""
    tables = {each.local_table for each in mapper.self_and_descendants}
    found: list[tuple[Mapper[Any], ForeignKeyConstraint]] = []
    for referring in Base.registry.mappers:
        if referring.single:
            continue
        table: Any = referring.local_table
        for key in table.foreign_key_constraints:
            # The rows of a joined subclass are parts of the row.
            is_part = referring.inherits and set(key.columns) == set(table.primary_key)
            if key.ondelete == "CASCADE" and key.referred_table in tables and not is_part:
                found.append((referring, key))
    return found


def _reached_from(mapper: Mapper[Any]) -> set[type[Any]]:
    """Return the models whose rows PostgreSQL might delete with a row of the model."""
    found: set[type[Any]] = set()
    following = [mapper]
    while following:
        for referring, _ in _cascades_to(following.pop()):
            if referring.base_mapper.class_ not in found:
                found.add(referring.base_mapper.class_)
                following.append(referring.base_mapper)
    return found


class _Reasons:
    """Why a row that is due stays: another that must stay would go with it."""

    def __init__(self, model: type[Entity], before: datetime) -> None:
        self.model, self.before = model, before
        self.order = _children_first()

    def to_keep(
        self, mapper: Mapper[Any], row: Any, path: tuple[ForeignKeyConstraint, ...] = ()
    ) -> list[ColumnElement[bool]]:
        """Return conditions on a row that goes with one of the model, over these foreign keys."""
        return [
            reason
            for referring, key in _cascades_to(mapper)
            if (reason := self._reason(row, referring, key, path)) is not None
        ]

    def _reason(
        self,
        row: Any,
        referring: Mapper[Any],
        key: ForeignKeyConstraint,
        path: tuple[ForeignKeyConstraint, ...],
    ) -> ColumnElement[bool] | None:
        is_entity = issubclass(referring.class_, Entity)
        if not is_entity and not any(issubclass(each, Entity) for each in _reached_from(referring)):
            return None
        child: Any = aliased(referring.class_, flat=True)
        target = key.referred_table.alias()
        found = exists().select_from(child).where(*_refers(referring, child, key, target, row))
        # The row of an outermost statement as well.
        found = found.correlate_except(child, target)
        base = referring.base_mapper.class_
        if base is self.model:
            found = found.where(child.id != self.model.id)
        is_later = is_entity and self.order.index(base) > self.order.index(self.model)
        if key in path or (is_entity and not is_later):
            # Children were removed before, if they could be. What refers to its own table has its
            # turn when those that refer to it are gone.
            return found
        # Tables refer to each other in a circle, or the row is not deleted by itself: it is no
        # reason, but what would go with it may be.
        reasons = self.to_keep(referring, child, (*path, key))
        if is_entity:
            reasons += [child.deleted_at.is_(None), child.deleted_at >= self.before]
        return found.where(or_(*reasons)) if reasons else None


def _refers(
    referring: Mapper[Any], child: Any, key: ForeignKeyConstraint, target: Any, row: Any
) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions by which a child refers to a row, or to the part of it in a table."""
    model: Mapper[Any] = inspect(row).mapper
    if key.referred_table is model.local_table:
        for column in key.referred_table.primary_key:
            yield target.c[column.key] == getattr(row, attribute_name(model, column))
    else:
        # Of a subclass.
        (target_id,) = target.primary_key
        yield target_id == row.id
    for element in key.elements:
        name = attribute_name(referring, element.parent)
        yield getattr(child, name) == target.c[element.column.key]


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
