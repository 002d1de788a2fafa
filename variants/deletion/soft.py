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
from typing_extensions import deprecated

from app.kit.db.base import Base, TimestampedModel, in_base_table, utc_now
from app.kit.db.ids import Id
from app.kit.db.soft_delete import (
    INCLUDE_DELETED,
    NOT_DELETED,
    Model,
    exclude_deleted,
    filter_other_tables,
    filter_select,
    owning_relationships,
    set_deleted_at,
    set_deleted_at_of_owned,
)

__all__ = [
    "DELETE_ERRORS",
    "DELETE_WHERE_ERRORS",
    "INCLUDE_DELETED",
    "Model",
    "SyncSession",
    "cascade_soft_delete",
    "delete_row",
    "delete_where",
    "exclude_deleted",
    "not_deleted",
    "unique_when_not_deleted",
]

# Error statuses of an endpoint that deletes one row. Not 409: the row is only hidden, so rows that
# refer to it do not block this.
DELETE_ERRORS = (404,)
# Error statuses of an endpoint that deletes rows by criteria.
DELETE_WHERE_ERRORS: tuple[int, ...] = ()


class SyncSession(Session):
    """The session class behind each `AsyncSession` of the service. Attach session events to it."""

    def get(self, *args: Any, **options: Any) -> Any:
        """Return the row with this primary key, or None if it does not exist or is deleted."""
        # A row in the identity map is returned without a statement, so check it here.
        found: Any = super().get(*args, **options)
        given: Any = options.get("execution_options") or {}
        is_deleted = isinstance(found, Model) and found.deleted_at
        return None if is_deleted and not given.get("include_deleted") else found

    def delete(self, instance: object) -> None:
        """Soft-delete a `Model` and the rows it owns. Remove the row of any other model."""
        self.delete_all([instance])

    def delete_all(self, instances: Iterable[object]) -> None:
        """Delete several objects like `delete`."""
        when = utc_now()
        for instance in instances:
            if isinstance(instance, Model) and inspect(instance).has_identity:
                self.add(instance)
                instance.deleted_at = instance.deleted_at or when
            else:
                super().delete(instance)


def not_deleted(model: type[Base]) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions that exclude deleted rows, for statements that bypass the session."""
    return (model.deleted_at.is_(None),) if issubclass(model, Model) else ()


def unique_when_not_deleted(*columns: str) -> Index:
    """Return a unique index on these columns that ignores deleted rows."""
    return Index(None, *columns, unique=True, postgresql_where=text("deleted_at IS NULL"))


async def delete_row(session: AsyncSession, record: TimestampedModel) -> None:
    """Soft-delete a `Model` and the rows it owns. Remove the row of any other model."""
    await session.delete(record)
    await session.flush()


async def delete_where(
    session: AsyncSession, model: type[Base], *conditions: ColumnElement[bool]
) -> int:
    """Delete the matching rows like `delete_row`, and return the number of matching rows."""
    if issubclass(model, Model):
        options = {"old": None, "new": utc_now()}
        return len(await session.run_sync(set_deleted_at, model, *conditions, **options))
    # In joined-table inheritance, ON DELETE CASCADE deletes the row of the subclass's table.
    stored, where = in_base_table(model, *conditions)
    result = await session.execute(delete(stored).where(*where))
    return cast("CursorResult[Any]", result).rowcount


@deprecated("use session.run_sync(set_deleted_at_of_owned, …); it is removed in 0.14")
async def cascade_soft_delete(
    session: AsyncSession,
    owner: type[Model],
    ids: Sequence[Id],
    *,
    old: datetime | None,
    new: datetime | None,
) -> None:
    """Change `deleted_at` of the rows that these rows own, from `old` to `new`.

    A row owns the rows of relationships with the cascade `delete`. Sends an UPDATE for each.
    """
    await session.run_sync(set_deleted_at_of_owned, owner, ids, old=old, new=new)


@event.listens_for(SyncSession, "before_flush")
def _soft_delete_orphans(session: Session, *_context: object) -> None:
    # With `delete-orphan`, this flush would delete the orphans permanently.
    when = utc_now()
    for owner in session.dirty:
        for relationship in owning_relationships(inspect(owner).mapper.class_):
            is_of_subclass = not isinstance(owner, relationship.parent.class_)
            if is_of_subclass or not relationship.cascade.delete_orphan:
                continue
            attribute: Any = relationship.class_attribute
            for child in inspect(owner).attrs[relationship.key].history.deleted:
                state = inspect(child)
                is_stored = state is not None and state.persistent
                if not is_stored or attribute.hasparent(state, optimistic=True):
                    continue
                child.deleted_at = child.deleted_at or when
                # Keep the reference to the owner, which the row needs when it is restored. The
                # session then does not treat the row as an orphan.
                attribute.impl.sethasparent(state, inspect(owner), True)
                if relationship.direction is ONETOMANY and relationship.back_populates:
                    set_committed_value(child, relationship.back_populates, owner)


@event.listens_for(SyncSession, "after_flush")
def _soft_delete_owned(session: Session, _context: object) -> None:
    deleted: dict[tuple[type[Model], datetime], list[Id]] = defaultdict(list)
    for record in session.dirty:
        if isinstance(record, Model):
            changed = inspect(record).attrs.deleted_at.history
            if changed.added and changed.added[0] and not any(changed.deleted):
                deleted[type(record), changed.added[0]].append(record.id)
    for (model, when), ids in deleted.items():
        set_deleted_at_of_owned(session, model, ids, old=None, new=when)


@event.listens_for(SyncSession, "do_orm_execute")
def _exclude_deleted(state: ORMExecuteState) -> None:
    # `excludes_deleted` marks a filtered statement, so that it is not filtered again. Eager loads
    # inherit the option, but lazy loads may lose it: they are then filtered twice, which is
    # harmless. A column load refreshes an object of the session, whose row may be deleted.
    if state.is_update or state.is_delete:
        _join_base_table(state)
    options = state.execution_options
    if state.is_column_load or options.get("include_deleted") or options.get("excludes_deleted"):
        return
    if state.is_insert and getattr(state.statement, "select", None) is not None:
        state.statement = state.statement.options(NOT_DELETED)
    statement: Any = state.statement
    if isinstance(statement, Select):
        state.statement = filter_select(statement)
    elif state.is_update or state.is_delete:
        state.statement = filter_other_tables(statement)
    if state.is_select or state.is_update or state.is_delete:
        state.update_execution_options(excludes_deleted=True)
        state.statement = state.statement.options(NOT_DELETED)


def _join_base_table(state: ORMExecuteState) -> None:
    # With joined-table inheritance, `deleted_at` may be in another table than the updated one.
    mapper = state.bind_mapper
    if mapper is None or len(mapper.tables) == 1 or not issubclass(mapper.class_, Model):
        return
    name = mapper.class_.__name__
    if state.is_delete:
        raise TypeError(
            f"delete({name}) would not delete the rows of its base table: use `delete_where`"
        )
    # A bulk UPDATE by primary key accepts no WHERE.
    if not state.is_executemany:
        joined = [each.inherit_condition for each in mapper.iterate_to_root() if each.inherits]
        statement: Any = state.statement
        state.statement = statement.where(*joined)
