"""Restore soft-deleted rows."""

from typing import Any, TypeVar

from sqlalchemy import inspect, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import MANYTOONE, RelationshipProperty, aliased
from sqlalchemy.orm.interfaces import ORMOption

from app.kit.db.deletion import INCLUDE_DELETED, Model, cascade_soft_delete
from app.kit.db.ids import Id
from app.kit.errors.problems import Conflict, NotFound

E = TypeVar("E", bound=Model)


async def restore(session: AsyncSession, model: type[E], key: Id, *plan: ORMOption) -> E:
    """Restore a soft-deleted row, and the owned rows that were deleted together with it.

    Raises:
        NotFound: no soft-deleted row has this primary key.
        Conflict: a row that it belongs to is soft-deleted.
        IntegrityError: another row uses one of its unique values, such as an email address.

    """
    found = select(model).where(model.id == key, model.deleted_at.is_not(None)).options(*plan)
    options = INCLUDE_DELETED | {"populate_existing": True}
    record = await session.scalar(found.with_for_update(of=model), execution_options=options)
    if record is None or record.deleted_at is None:
        raise NotFound(f"Deleted {model.__name__} {key} not found.")
    for relation in inspect(type(record)).relationships:
        if _must_exist(relation) and await _is_deleted(session, record, relation):
            raise Conflict(f"The {relation.key} is deleted. Restore it first.")
    when, record.deleted_at = record.deleted_at, None
    await session.flush()
    await cascade_soft_delete(session, type(record), [record.id], old=when, new=None)
    if missing := inspect(record).unloaded.intersection(record.__mapper__.column_attrs.keys()):
        # Load the columns of a subclass here: a deferred load would skip the row as deleted.
        await session.refresh(record, missing)
    return record


def _must_exist(relation: RelationshipProperty[Any]) -> bool:
    """Return whether the related row must exist first. Owned rows are restored later."""
    refers = relation.direction is MANYTOONE and not relation.cascade.delete
    return refers and issubclass(relation.mapper.class_, Model)


async def _is_deleted(
    session: AsyncSession, record: Model, relation: RelationshipProperty[Any]
) -> bool:
    model: Any = relation.parent.class_
    target: Any = aliased(relation.mapper.class_, flat=True)
    found = (
        select(target.deleted_at)
        .select_from(model)
        .join(getattr(model, relation.key).of_type(target))
        .where(model.id == record.id)
        # FOR SHARE: a concurrent deletion waits for this transaction, and then sees the record.
        .with_for_update(read=True, of=target)
    )
    return any((await session.scalars(found, execution_options=INCLUDE_DELETED)).all())
