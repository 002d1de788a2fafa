"""Deleting hides the row: `deleted_at` is set, and no statement sees the row any more."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    Index,
    Select,
    delete,
    event,
    inspect,
    text,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import ONETOMANY, ORMExecuteState, Session
from sqlalchemy.orm.attributes import set_committed_value

from app.kit.db.base import Record, in_base_table, now
from app.kit.db.ids import Id
from app.kit.db.soft_delete import (
    INCLUDE_DELETED,
    LIVING,
    Entity,
    filter_other_tables,
    filter_select,
    living,
    mark,
    mark_owned_by,
    owning_relationships,
)

__all__ = [
    "DELETE_ERRORS",
    "DELETE_WHERE_ERRORS",
    "INCLUDE_DELETED",
    "Entity",
    "ServiceSession",
    "erase",
    "erase_where",
    "living",
    "mark_owned",
    "not_deleted",
    "unique_live",
]

# Statuses with which deleting a row fails, for `problems`. Rows that refer to it do not prevent it.
DELETE_ERRORS = (404,)
# The same for rows that meet conditions, of which there may be none.
DELETE_WHERE_ERRORS: tuple[int, ...] = ()


class ServiceSession(Session):
    """The session below every `AsyncSession` of the service; its events attach here."""

    def get(self, *args: Any, **options: Any) -> Any:
        """Return the row with this primary key, or None where it is missing or deleted."""
        # A row that the session already holds is returned without a statement.
        found: Any = super().get(*args, **options)
        asked: Any = options.get("execution_options") or {}
        hidden = isinstance(found, Entity) and found.deleted_at and not asked.get("include_deleted")
        return None if hidden else found

    def delete(self, instance: object) -> None:
        """Hide an `Entity` with everything it owns; delete the row of any other model."""
        self.delete_all([instance])

    def delete_all(self, instances: Iterable[object]) -> None:
        """Delete these objects as `delete` does."""
        when = now()
        for instance in instances:
            if isinstance(instance, Entity) and inspect(instance).has_identity:
                self.add(instance)
                instance.deleted_at = instance.deleted_at or when
            else:
                super().delete(instance)


def not_deleted(model: type[Record]) -> tuple[ColumnElement[bool], ...]:
    """The conditions on rows that are not deleted, for statements that no session filters."""
    return (model.deleted_at.is_(None),) if issubclass(model, Entity) else ()


def unique_live(*columns: str) -> Index:
    """Let no two rows share these columns, deleted rows apart."""
    return Index(None, *columns, unique=True, postgresql_where=text("deleted_at IS NULL"))


async def erase(session: AsyncSession, record: Record) -> None:
    """Delete a record: hide an `Entity` with the entities it owns, remove anything else."""
    await session.delete(record)
    await session.flush()


async def erase_where(
    session: AsyncSession, model: type[Record], *conditions: ColumnElement[bool]
) -> int:
    """Delete the rows that meet the conditions, as `erase` would; returns how many they were."""
    if issubclass(model, Entity):
        when = now()
        hidden = await session.run_sync(mark, model, *conditions, old=None, new=when)
        await mark_owned(session, model, hidden, old=None, new=when)
        return len(hidden)
    stored, where = in_base_table(model, *conditions)
    result = await session.execute(delete(stored).where(*where))
    return cast("CursorResult[Any]", result).rowcount


async def mark_owned(
    session: AsyncSession,
    owner: type[Entity],
    ids: Sequence[Id],
    *,
    old: datetime | None,
    new: datetime | None,
) -> None:
    """Move what these rows own from one time of deletion to another.

    The same reach as `ON DELETE CASCADE`, in one statement for each kind of child.
    """
    await session.run_sync(mark_owned_by, owner, ids, old=old, new=new)


@event.listens_for(ServiceSession, "before_flush")
def _hide_orphans(session: Session, *_context: object) -> None:
    # What is removed from a relationship with `delete-orphan` would be deleted by this flush.
    when = now()
    for owner in session.dirty:
        for relation in owning_relationships(inspect(owner).mapper.class_):
            if not relation.cascade.delete_orphan:
                continue
            attribute: Any = relation.class_attribute
            for child in inspect(owner).attrs[relation.key].history.deleted:
                state = inspect(child)
                if (
                    state is None
                    or not state.persistent
                    or attribute.hasparent(state, optimistic=True)
                ):
                    continue
                child.deleted_at = child.deleted_at or when
                # It keeps its owner, which a restored row must have, and so is no orphan.
                attribute.impl.sethasparent(state, inspect(owner), True)
                if relation.direction is ONETOMANY and relation.back_populates:
                    set_committed_value(child, relation.back_populates, owner)


@event.listens_for(ServiceSession, "after_flush")
def _hide_owned(session: Session, _context: object) -> None:
    hidden: dict[tuple[type[Entity], datetime], list[Id]] = defaultdict(list)
    for record in session.dirty:
        if isinstance(record, Entity):
            changed = inspect(record).attrs.deleted_at.history
            if changed.added and changed.added[0] and not any(changed.deleted):
                hidden[type(record), changed.added[0]].append(record.id)
    for (model, when), ids in hidden.items():
        mark_owned_by(session, model, ids, old=None, new=when)


@event.listens_for(ServiceSession, "do_orm_execute")
def _without_deleted(state: ORMExecuteState) -> None:
    # Eager loads inherit the condition together with the mark; a lazy load may have either or
    # neither, and gets it again: twice the same condition is better than none. A refresh must
    # find the row that the session already holds.
    if state.is_update or state.is_delete:
        _join_base_table(state)
    options = state.execution_options
    if state.is_column_load or options.get("include_deleted") or options.get("living_only"):
        return
    if state.is_insert and getattr(state.statement, "select", None) is not None:
        state.statement = state.statement.options(LIVING)
    statement: Any = state.statement
    if isinstance(statement, Select):
        state.statement = filter_select(statement)
    elif state.is_update or state.is_delete:
        state.statement = filter_other_tables(statement)
    if state.is_select or state.is_update or state.is_delete:
        state.update_execution_options(living_only=True)
        state.statement = state.statement.options(LIVING)


def _join_base_table(state: ORMExecuteState) -> None:
    # Joined-table inheritance: `deleted_at` is in another table than the one that is changed.
    mapper = state.bind_mapper
    if mapper is None or len(mapper.tables) == 1 or not issubclass(mapper.class_, Entity):
        return
    name = mapper.class_.__name__
    if state.is_delete:
        raise TypeError(f"delete({name}) would leave the rows of its base: use `erase_where`")
    if not state.is_executemany:
        joined = [each.inherit_condition for each in mapper.iterate_to_root() if each.inherits]
        statement: Any = state.statement
        state.statement = statement.where(*joined)
