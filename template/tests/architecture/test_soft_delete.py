"""Architecture rules of soft delete: unique columns, and relationships to soft-deleted rows."""

from types import NoneType
from typing import Any, get_args, get_type_hints

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import MANYTOONE, registry

from app.kit.db.base import Base
from app.kit.db.deletion import Model


def unique_columns_with_deleted_rows(mapped: registry) -> list[str]:
    """Return unique columns of a soft-deletable model whose values stay taken after a soft delete.

    Primary keys are exempt, and so are columns that a foreign key references: PostgreSQL requires
    them to be unique among all rows.
    """
    tables: set[Any] = {
        mapper.local_table for mapper in mapped.mappers if issubclass(mapper.class_, Model)
    }
    referenced = {
        frozenset(element.column for element in key.elements)
        for table in mapped.metadata.tables.values()
        for key in table.foreign_key_constraints
    }
    found: list[str] = []
    for table in tables:
        items: set[Any] = {*table.indexes, *table.constraints}
        for item in items:
            unique = isinstance(item, UniqueConstraint) or (isinstance(item, Index) and item.unique)
            if not unique or set(table.primary_key) <= set(item.columns):
                continue
            predicate = str(item.dialect_options["postgresql"].get("where"))
            if "deleted_at is null" in predicate.lower() and "deleted_at" in table.c:
                continue
            if frozenset(item.columns) not in referenced:
                found.append(", ".join(map(str, item.columns)) or str(item.name))
    return sorted(found)


def soft_deletable_rows_with_hard_deleted_owner(mapped: registry) -> list[str]:
    """Return relationships that delete soft-deletable rows permanently with their owner."""
    return [
        str(relationship)
        for mapper in mapped.mappers
        for relationship in mapper.relationships
        if relationship.cascade.delete
        and issubclass(relationship.mapper.class_, Model)
        and not issubclass(mapper.class_, Model)
    ]


def required_references_to_soft_deletable_rows(mapped: registry) -> list[str]:
    """Return many-to-one relationships that can be None although their type excludes it.

    The relationship is None if the target is soft-deleted and the row is not. This cannot happen if
    the target owns the row, because both are then soft-deleted together.
    """
    found: list[str] = []
    models: dict[str, type[Any]] = {each.class_.__name__: each.class_ for each in mapped.mappers}
    for mapper in mapped.mappers:
        model = mapper.class_
        hints = get_type_hints(model, localns=models)
        for relationship in mapper.relationships:
            target = relationship.mapper.class_
            if relationship.direction is not MANYTOONE or not issubclass(target, Model):
                continue
            back = relationship.back_populates and relationship.mapper.relationships.get(
                relationship.back_populates
            )
            is_owned = issubclass(model, Model) and back and back.cascade.delete
            hint = get_args(hints.get(relationship.key))
            if not is_owned and hint and NoneType not in get_args(hint[0]):
                found.append(str(relationship))
    return sorted(found)


def test_unique_constraints_ignore_deleted_rows() -> None:
    assert not unique_columns_with_deleted_rows(Base.registry), (
        "use `unique_when_not_deleted(...)` in `__table_args__` instead of `unique=True`, a "
        "UniqueConstraint or a unique Index; in a joined subclass, move the column to the table "
        "with `deleted_at`"
    )


def test_soft_deletable_rows_have_soft_deletable_owners() -> None:
    assert not soft_deletable_rows_with_hard_deleted_owner(Base.registry), (
        "deleting the owner removes these rows: derive the owner from `Model`, or do not cascade"
    )


def test_references_to_soft_deletable_rows_are_optional_or_owned() -> None:
    assert not required_references_to_soft_deletable_rows(Base.registry), (
        "the target may be deleted first: type it `| None`, or let the target own the row "
        '(a `Model`, `cascade="all, delete-orphan"`, both sides with `back_populates`)'
    )
