"""Soft delete: deleting a row sets `deleted_at`, and statements no longer return the row."""

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

# Error statuses of an endpoint that deletes one row. Rows that refer to it are no obstacle.
DELETE_ERRORS = (404,)
# Error statuses of an endpoint that deletes rows by criteria.
DELETE_WHERE_ERRORS: tuple[int, ...] = ()


class ServiceSession(Session):
    """The session class behind each `AsyncSession` of the service. Attach session events to it."""

    def get(self, *args: Any, **options: Any) -> Any:
        """Return the row with this primary key, or None if it does not exist or is deleted."""
        # A row in the identity map is returned without a statement, so check it here.
        found: Any = super().get(*args, **options)
        given: Any = options.get("execution_options") or {}
        hidden = isinstance(found, Entity) and found.deleted_at and not given.get("include_deleted")
        return None if hidden else found

    def delete(self, instance: object) -> None:
        """Soft-delete an `Entity` and the rows it owns. Remove the row of any other model."""
        self.delete_all([instance])

    def delete_all(self, instances: Iterable[object]) -> None:
        """Delete several objects like `delete`."""
        when = now()
        for instance in instances:
            if isinstance(instance, Entity) and inspect(instance).has_identity:
                self.add(instance)
                instance.deleted_at = instance.deleted_at or when
            else:
                super().delete(instance)


def not_deleted(model: type[Record]) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions that exclude deleted rows, for statements that bypass the session."""
    return (model.deleted_at.is_(None),) if issubclass(model, Entity) else ()


def unique_live(*columns: str) -> Index:
    """Return a unique index on these columns that ignores deleted rows."""
    return Index(None, *columns, unique=True, postgresql_where=text("deleted_at IS NULL"))


async def erase(session: AsyncSession, record: Record) -> None:
    """Soft-delete an `Entity` and the rows it owns. Remove the row of any other model."""
    await session.delete(record)
    await session.flush()


async def erase_where(
    session: AsyncSession, model: type[Record], *conditions: ColumnElement[bool]
) -> int:
    """Delete the matching rows like `erase`, and return the number of matching rows."""
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
    """Change `deleted_at` of the rows that these rows own, from `old` to `new`.

    The same rows as by `ON DELETE CASCADE`, with one statement per child table.
    """
    await session.run_sync(mark_owned_by, owner, ids, old=old, new=new)


@event.listens_for(ServiceSession, "before_flush")
def _hide_orphans(session: Session, *_context: object) -> None:
    # This flush would remove the orphans of a relationship with `delete-orphan`. Soft-delete them.
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
                # Keep the owner, which a restored row needs. Then the row is not an orphan.
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
    # Eager loads inherit the criteria and `living_only`. A lazy load may have only one of them, and
    # gets the criteria again: a repeated condition is harmless, a missing one is not. A refresh
    # must find a row of the identity map even if it is deleted.
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
    # With joined-table inheritance, `deleted_at` may be in another table than the updated one.
    mapper = state.bind_mapper
    if mapper is None or len(mapper.tables) == 1 or not issubclass(mapper.class_, Entity):
        return
    name = mapper.class_.__name__
    if state.is_delete:
        raise TypeError(
            f"delete({name}) would not delete the rows of its base table: use `erase_where`"
        )
    if not state.is_executemany:
        joined = [each.inherit_condition for each in mapper.iterate_to_root() if each.inherits]
        statement: Any = state.statement
        state.statement = statement.where(*joined)
