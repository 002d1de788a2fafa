"""Deleting hides the row: `deleted_at` is set, and no statement sees the row any more."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar, cast

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    CursorResult,
    Executable,
    Index,
    any_,
    delete,
    event,
    inspect,
    literal,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import (
    Mapped,
    ORMExecuteState,
    Session,
    mapped_column,
    with_loader_criteria,
)

from app.kit.db.base import Record, now
from app.kit.db.ids import Id

INCLUDE_DELETED = {"include_deleted": True}

S = TypeVar("S", bound=Executable)


class Entity(Record):
    """A record whose deletion hides it. Statements opt out with the option `include_deleted`."""

    __abstract__ = True

    deleted_at: Mapped[datetime | None] = mapped_column()

    def __init__(self, **values: Any) -> None:
        # Said from the start: an UPDATE by criteria changes only what an object knows of itself.
        super().__init__(**{"deleted_at": None} | values)


class ServiceSession(Session):
    """The session below every `AsyncSession` of the service; its events attach here."""

    def get(self, *args: Any, **options: Any) -> Any:
        """The row with this key, unless it is deleted."""
        # One that the session already holds is found without a statement.
        found: Any = super().get(*args, **options)
        asked: Any = options.get("execution_options") or {}
        hidden = isinstance(found, Entity) and found.deleted_at and "include_deleted" not in asked
        return None if hidden else found


# Made once: a statement takes longer to be told its criteria than to be looked up compiled.
_LIVING = with_loader_criteria(
    Entity, lambda model: model.deleted_at.is_(None), include_aliases=True
)


def living(statement: S) -> S:
    """The statement that sees no deleted row. What a session runs is made so by itself.

    One that is kept, to be run again and again, is better made so once.
    """
    return statement.options(_LIVING).execution_options(living_only=True)


def unique_live(*columns: str) -> Index:
    """Let no two rows share these columns, deleted rows apart."""
    return Index(None, *columns, unique=True, postgresql_where=text("deleted_at IS NULL"))


async def erase(session: AsyncSession, record: Record) -> None:
    """Delete a record: hide an `Entity` with the entities it owns, remove anything else."""
    if isinstance(record, Entity):
        record.deleted_at = when = now()
        await session.flush()
        await mark_owned(session, type(record), [record.id], old=None, new=when)
    else:
        await session.delete(record)
        await session.flush()


async def erase_where(
    session: AsyncSession, model: type[Record], *conditions: ColumnElement[bool]
) -> int:
    """Delete the rows that meet the conditions, as `erase` would; returns how many they were."""
    if not issubclass(model, Entity):
        result = await session.execute(delete(model).where(*conditions))
        return cast("CursorResult[Any]", result).rowcount
    when = now()
    hidden = await _mark(session, model, *conditions, old=None, new=when)
    await mark_owned(session, model, hidden, old=None, new=when)
    return len(hidden)


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
    for relation in inspect(owner).relationships if ids else ():
        child = relation.mapper.class_
        if relation.cascade.delete and issubclass(child, Entity):
            ((_, foreign_key),) = relation.local_remote_pairs
            owned = foreign_key == any_(literal(list(ids), ARRAY(foreign_key.type)))
            children = await _mark(session, child, owned, old=old, new=new)
            await mark_owned(session, child, children, old=old, new=new)


async def _mark(
    session: AsyncSession,
    model: type[Entity],
    *conditions: ColumnElement[bool],
    old: datetime | None,
    new: datetime | None,
) -> Sequence[Id]:
    values: dict[str, Any] = {"deleted_at": new}
    # Whoever read a row before must not save it over this change.
    version: Any = model.__mapper__.version_id_col
    if version is not None:
        values[version.key] = version + 1
    statement = update(model).where(*conditions, model.deleted_at == old)
    changed = statement.values(values).returning(model.id)
    return (await session.scalars(changed, execution_options=INCLUDE_DELETED)).all()


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
        state.statement = state.statement.options(_LIVING)
