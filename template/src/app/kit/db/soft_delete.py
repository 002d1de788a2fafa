"""Soft delete: the model base, and the UPDATE statements that hide rows with what they own."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnClause,
    ColumnElement,
    and_,
    any_,
    event,
    inspect,
    literal,
    orm,
    update,
)
from sqlalchemy.orm import Mapped, Mapper, RelationshipProperty, aliased, mapped_column
from sqlalchemy.sql.visitors import iterate

from app.kit.db.base import Base, Record, in_base_table
from app.kit.db.ids import Id

INCLUDE_DELETED = {"include_deleted": True}


class Entity(Record):
    """A record whose deletion hides it. Statements opt out with the option `include_deleted`."""

    __abstract__ = True

    deleted_at: Mapped[datetime | None] = mapped_column()

    def __init__(self, **values: Any) -> None:
        # Set explicitly: an UPDATE by criteria changes only attributes that an object has loaded.
        super().__init__(**{"deleted_at": None} | values)


@cache
def owning_relationships(owner: type[Any]) -> tuple[RelationshipProperty[Any], ...]:
    """Return relationships that delete entities with their owner, subclasses' included."""
    mapper: Mapper[Any] = inspect(owner)
    found = {each for sub in mapper.self_and_descendants for each in sub.relationships}
    owning = (each for each in found if each.cascade.delete)
    return tuple(each for each in owning if issubclass(each.mapper.class_, Entity))


def mark(
    session: orm.Session,
    model: type[Entity],
    *conditions: ColumnElement[bool],
    old: datetime | None,
    new: datetime | None,
) -> Sequence[Id]:
    """Set `deleted_at` of the rows where it is `old`; returns their ids, without what they own."""
    values: dict[str, Any] = {"deleted_at": new}
    # A concurrent update that read the old version must fail.
    version: Any = model.__mapper__.version_id_col
    if version is not None:
        values[version.key] = version + 1
    stored, where = in_base_table(model, *conditions)
    statement = update(stored).where(*where, stored.deleted_at == old)
    changed = statement.values(values).returning(stored.id)
    return session.scalars(changed, execution_options=INCLUDE_DELETED).all()


def mark_owned_by(
    session: orm.Session,
    owner: type[Entity],
    ids: Sequence[Id],
    *,
    old: datetime | None,
    new: datetime | None,
) -> None:
    """Set `deleted_at` of everything that these rows own, one UPDATE for each relationship."""
    for relation in owning_relationships(owner) if ids else ():
        child = relation.mapper.class_
        parent: Any = aliased(relation.parent.class_, flat=True)
        among = parent.id == any_(literal(list(ids), ARRAY(parent.id.type)))
        # The relationship's own join condition: composite keys, secondary tables, either direction.
        owned = and_(among, getattr(parent, relation.key).expression)
        children = mark(session, child, owned, old=old, new=new)
        mark_owned_by(session, child, children, old=old, new=new)


@event.listens_for(Base, "mapper_configured", propagate=True)
def _reject_unsupported(mapper: Mapper[Any], model: type[Base]) -> None:
    base = mapper.base_mapper.class_
    if issubclass(model, Entity) and mapper.concrete:
        raise TypeError(
            f"{model.__name__}: an Entity does not support concrete table inheritance. Use "
            "single-table or joined-table inheritance, or an abstract base class."
        )
    if issubclass(model, Entity) and not issubclass(base, Entity):
        raise TypeError(
            f"{model.__name__} is an Entity, but inherits from {base.__name__}, which is not: "
            f"queries of {base.__name__} would return deleted rows. Make {base.__name__} an Entity."
        )
    entities: dict[Any, str] = {
        each.local_table: each.class_.__name__
        for each in mapper.registry.mappers
        if issubclass(each.class_, Entity)
    }
    for relation in mapper.relationships:
        link = entities.get(relation.secondary)
        if link and not _excludes_deleted(relation):
            raise TypeError(
                f"{relation} would follow deleted rows of {link}. Relate to {link} itself instead "
                "of `secondary`, or add `viewonly=True` and `deleted_at IS NULL` to `primaryjoin` "
                "or `secondaryjoin`."
            )


def _excludes_deleted(relation: RelationshipProperty[Any]) -> bool:
    secondary: Any = relation.secondary
    deleted_at = secondary.c.deleted_at
    return relation.viewonly and any(
        isinstance(part, ColumnClause) and part.shares_lineage(deleted_at)
        for condition in (relation.primaryjoin, relation.secondaryjoin)
        if condition is not None
        for part in iterate(condition)
    )
