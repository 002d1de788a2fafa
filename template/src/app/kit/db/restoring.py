"""Bringing back what was deleted."""

from collections.abc import Iterator
from typing import Any, TypeVar

from sqlalchemy import inspect, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import RelationshipDirection
from sqlalchemy.orm.interfaces import ORMOption

from app.kit.db.deletion import INCLUDE_DELETED, Entity, mark_owned
from app.kit.db.ids import Id
from app.kit.errors import Conflict, NotFound

E = TypeVar("E", bound=Entity)


async def restore(session: AsyncSession, model: type[E], key: Id, *plan: ORMOption) -> E:
    """Bring a deleted row back, with all that was deleted along with it, or `NotFound`.

    `Conflict` where something that it belongs to is itself deleted. A value that has been taken in
    the meantime, such as an email address, is the conflict of its unique index.
    """
    found = select(model).where(model.id == key, model.deleted_at.is_not(None)).options(*plan)
    options = INCLUDE_DELETED | {"populate_existing": True}
    record = await session.scalar(found.with_for_update(of=model), execution_options=options)
    if record is None or record.deleted_at is None:
        raise NotFound(f"There is no deleted {model.__name__.lower()} {key}.")
    for name, target, target_key in _referred(record):
        # Held: it must not be deleted before the record is there for the deletion to see.
        held = select(target.id).where(target.id == target_key).with_for_update(read=True)
        if await session.scalar(held) is None:
            raise Conflict(f"Its {name} is deleted: restore that first.")
    when, record.deleted_at = record.deleted_at, None
    await session.flush()
    await mark_owned(session, model, [record.id], old=when, new=None)
    return record


def _referred(record: Entity) -> Iterator[tuple[str, type[Entity], Id]]:
    for relation in inspect(type(record)).relationships:
        target: Any = relation.mapper.class_
        if relation.direction is RelationshipDirection.MANYTOONE and issubclass(target, Entity):
            ((column, _),) = relation.local_remote_pairs
            if key := getattr(record, str(column.key)):
                yield relation.key, target, key
