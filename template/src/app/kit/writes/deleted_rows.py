"""Restore soft-deleted rows, or delete them permanently."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any, TypeVar, cast

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    ForeignKeyConstraint,
    delete,
    exists,
    inspect,
    or_,
    select,
    text,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import MANYTOONE, Mapper, RelationshipProperty, aliased
from sqlalchemy.orm.interfaces import ORMOption

from app.kit.db.base import Base, any_of, attribute_name, key_attributes, table_name
from app.kit.db.deletion import INCLUDE_DELETED, Model
from app.kit.db.ids import Id
from app.kit.db.session import Database
from app.kit.db.soft_delete import set_deleted_at_of_owned
from app.kit.errors.problems import Conflict, NotFound
from app.kit.writes.bulk import CHUNK_SIZE, run_in_batches

M = TypeVar("M", bound=Model)


async def restore(session: AsyncSession, model: type[M], key: Id, *options: ORMOption) -> M:
    """Restore a soft-deleted row, and the owned rows that were deleted together with it.

    Raises:
        NotFound: no soft-deleted row has this primary key.
        Conflict: a row that it belongs to is soft-deleted. A row does not belong to the target of a
            foreign key with ON DELETE SET NULL.
        IntegrityError: another row uses one of its unique values, such as an email address.

    """
    found = select(model).where(model.id == key, model.deleted_at.is_not(None)).options(*options)
    execution = INCLUDE_DELETED | {"populate_existing": True}
    record = await session.scalar(found.with_for_update(of=model), execution_options=execution)
    if record is None or record.deleted_at is None:
        raise NotFound(f"Deleted {model.__name__} {key} not found.")
    for relationship in inspect(type(record)).relationships:
        if _must_exist(relationship) and await _is_deleted(session, record, relationship):
            raise Conflict(f"The {relationship.key} is deleted. Restore it first.")
    when, record.deleted_at = record.deleted_at, None
    await session.flush()
    await session.run_sync(set_deleted_at_of_owned, type(record), [record.id], old=when, new=None)
    if missing := inspect(record).unloaded.intersection(record.__mapper__.column_attrs.keys()):
        # Load the columns of a subclass here: a deferred load would skip the row as deleted.
        await session.refresh(record, missing)
    return record


def _must_exist(relationship: RelationshipProperty[Any]) -> bool:
    """Return whether the related row must exist first. Owned rows are restored later."""
    refers = relationship.direction is MANYTOONE and not relationship.cascade.delete
    keys = (key for column in relationship.local_columns for key in column.foreign_keys)
    rules = (key.ondelete or "" for key in keys if key.column in relationship.remote_side)
    is_optional = any(rule.upper().startswith("SET NULL") for rule in rules)
    return refers and not is_optional and issubclass(relationship.mapper.class_, Model)


async def _is_deleted(
    session: AsyncSession, record: Model, relationship: RelationshipProperty[Any]
) -> bool:
    model: Any = relationship.parent.class_
    target: Any = aliased(relationship.mapper.class_, flat=True)
    found = (
        select(target.deleted_at)
        .select_from(model)
        .join(getattr(model, relationship.key).of_type(target))
        .where(model.id == record.id)
        # FOR SHARE: a concurrent deletion waits for this transaction, and then sees the record.
        .with_for_update(read=True, of=target)
    )
    return any((await session.scalars(found, execution_options=INCLUDE_DELETED)).all())


async def purge(database: Database, before: datetime, size: int = CHUNK_SIZE) -> dict[str, int]:
    """Delete rows permanently that were soft-deleted before this time. Return the counts by table.

    Each batch of `size` rows runs with `run_with_retry`. A row is kept in these cases:

    - A `Model` that is kept references it with ON DELETE CASCADE, directly or indirectly.
    - Any row references it with RESTRICT or NO ACTION.
    - It is part of a cycle of rows in one table.
    """
    removed: dict[str, int] = {}
    for model in _children_first():
        name = table_name(model)
        removed[name] = 0
        kept = _keep_conditions(model, before, inspect(model), model)
        due = (model.deleted_at < before, *(~each for each in kept))
        delete_keys = partial(_delete, model)
        # In a table that references itself, the referencing rows are deleted first.
        while count := await run_in_batches(
            database, model, due, size, delete_keys, skip_locked=True, **INCLUDE_DELETED
        ):
            removed[name] += count
            if model not in _deleted_with(inspect(model)):
                break
    return removed


def _children_first() -> list[type[Model]]:
    # Parents first would also work, but ON DELETE CASCADE has no limit on the batch size.
    # Base classes only: deleting their rows deletes the rows of subclasses.
    mappers = Base.registry.mappers
    models = {each.local_table: each.class_ for each in mappers if each is each.base_mapper}
    ordered = [models.get(table) for table in reversed(Base.metadata.sorted_tables)]
    return [model for model in ordered if model is not None and issubclass(model, Model)]


def _cascades_to(mapper: Mapper[Any]) -> list[tuple[Mapper[Any], ForeignKeyConstraint]]:
    """Return the foreign keys with ON DELETE CASCADE to a model, with the referencing mapper."""
    tables = {each.local_table for each in mapper.self_and_descendants}
    found: list[tuple[Mapper[Any], ForeignKeyConstraint]] = []
    for referring in Base.registry.mappers:
        if referring.single:
            continue
        table: Any = referring.local_table
        for fk in table.foreign_key_constraints:
            # In joined-table inheritance, the subclass's row is part of the same object.
            is_part = referring.inherits and set(fk.columns) == set(table.primary_key)
            cascades = (fk.ondelete or "").upper() == "CASCADE"
            if cascades and fk.referred_table in tables and not is_part:
                found.append((referring, fk))
    return found


def _deleted_with(mapper: Mapper[Any]) -> set[type[Any]]:
    """Return the models whose rows ON DELETE CASCADE may delete with a row of the model."""
    found: set[type[Any]] = set()
    pending = [mapper]
    while pending:
        for referring, _ in _cascades_to(pending.pop()):
            if referring.base_mapper.class_ not in found:
                found.add(referring.base_mapper.class_)
                pending.append(referring.base_mapper)
    return found


def _keep_conditions(
    purged_model: type[Model],
    before: datetime,
    mapper: Mapper[Any],
    row: Any,
    path: tuple[ForeignKeyConstraint, ...] = (),
) -> list[ColumnElement[bool]]:
    """Return conditions that are true for a row that must be kept.

    Deleting it would also delete another row that is kept, because of ON DELETE CASCADE. For
    example, a post of the purged user is not deleted. `path` contains the foreign keys of the
    cascade from the purged row to this row.
    """
    conditions: list[ColumnElement[bool]] = []
    order = _children_first()
    for referring, fk in _cascades_to(mapper):
        is_model = issubclass(referring.class_, Model)
        if not is_model and not any(issubclass(each, Model) for each in _deleted_with(referring)):
            continue
        child: Any = aliased(referring.class_, flat=True)
        target = fk.referred_table.alias()
        joined = [
            key == each for key, each in zip(target.primary_key, key_attributes(row), strict=True)
        ]
        for element in fk.elements:
            attribute = getattr(child, attribute_name(referring, element.parent))
            joined.append(attribute == target.c[element.column.key])
        # Correlates with the outermost statement too.
        found = exists().select_from(child).where(*joined).correlate_except(child, target)
        base = referring.base_mapper.class_
        if base is purged_model:
            found = found.where(child.id != purged_model.id)
        # This child's table was purged before, so what is left of it is kept. In a table
        # that references itself, the child may still be due: a later pass deletes its parent.
        is_kept = is_model and order.index(base) <= order.index(purged_model)
        if fk not in path and not is_kept:
            # The tables form a cycle, or the child is not a `Model`. The child is kept only if its
            # own deletion would delete a row that is kept, or if it is a `Model` that is not due.
            reasons = _keep_conditions(purged_model, before, referring, child, (*path, fk))
            if is_model:
                reasons += [child.deleted_at.is_(None), child.deleted_at >= before]
            if not reasons:
                continue
            found = found.where(or_(*reasons))
        conditions.append(found)
    return conditions


async def _delete(model: type[Model], session: AsyncSession, keys: Sequence[Id]) -> int:
    try:
        async with session.begin_nested():
            # Otherwise, a deferred constraint would fail at the commit.
            await session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
            statement = delete(model).where(any_of(model.id, keys))
            result = await session.execute(statement, execution_options=INCLUDE_DELETED)
    except IntegrityError:
        # A row is still referenced with RESTRICT or NO ACTION. Split the batch to find it.
        half = len(keys) // 2
        parts = (keys[:half], keys[half:]) if half else ()
        return sum([await _delete(model, session, part) for part in parts])
    return cast("CursorResult[Any]", result).rowcount
