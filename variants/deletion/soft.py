"""Deleting hides the row: `deleted_at` is set, and no statement sees the row any more."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, Index, any_, event, inspect, literal, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, ORMExecuteState, mapped_column, with_loader_criteria

from app.kit.db.base import Record, now
from app.kit.db.session import ServiceSession


class Entity(Record):
    """A record whose deletion hides it. Statements opt out with the option `include_deleted`."""

    __abstract__ = True

    deleted_at: Mapped[datetime | None] = mapped_column()


def unique_live(*columns: str) -> Index:
    """Let no two rows share these columns, deleted rows apart."""
    return Index(None, *columns, unique=True, postgresql_where=text("deleted_at IS NULL"))


async def erase(session: AsyncSession, record: Record) -> None:
    """Delete a record: hide an `Entity` with the entities it owns, remove anything else."""
    if isinstance(record, Entity):
        record.deleted_at = when = now()
        await session.flush()
        await _hide_owned(session, type(record), [record.id], when)
    else:
        await session.delete(record)
        await session.flush()


async def _hide_owned(
    session: AsyncSession, owner: type[Entity], ids: Sequence[Any], when: datetime
) -> None:
    # The same reach as `ON DELETE CASCADE`, one statement for each kind of child.
    for relation in inspect(owner).relationships:
        child = relation.mapper.class_
        if relation.cascade.delete and issubclass(child, Entity):
            ((_, foreign_key),) = relation.local_remote_pairs
            owned = foreign_key == any_(literal(ids, ARRAY(foreign_key.type)))
            hide = update(child).where(owned).values(deleted_at=when).returning(child.id)
            if hidden := (await session.scalars(hide)).all():
                await _hide_owned(session, child, hidden, when)


@event.listens_for(ServiceSession, "do_orm_execute")
def _without_deleted(state: ORMExecuteState) -> None:
    # Eager loads inherit the condition together with the mark; a lazy load may have either or
    # neither, and gets it again: twice the same condition is better than none. A refresh must
    # find the row that the session already holds.
    options = state.execution_options
    if state.is_column_load or options.get("include_deleted") or options.get("living_only"):
        return
    if state.is_select or state.is_update or state.is_delete:
        state.update_execution_options(living_only=True)
        state.statement = state.statement.options(
            with_loader_criteria(
                Entity, lambda model: model.deleted_at.is_(None), include_aliases=True
            )
        )
