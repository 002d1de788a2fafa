"""Architecture rules of soft delete: uniqueness, and ownership of soft-deleted rows."""

from types import NoneType
from typing import Any, cast, get_args, get_type_hints

from sqlalchemy import Index, UniqueConstraint, inspect
from sqlalchemy.orm import MANYTOONE, registry

from app.kit.db.base import Base
from app.kit.db.deletion import Model


def uniques_that_count_deleted_rows(mapped: registry) -> list[str]:
    """Return unique columns of an `Model` whose values stay taken after a soft delete.

    Primary keys are exempt, and so are columns that a foreign key references: PostgreSQL requires
    them to be unique among all rows.
    """
    tables: set[Any] = {
        each.local_table for each in mapped.mappers if issubclass(each.class_, Model)
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


def entities_owned_by_records(mapped: registry) -> list[str]:
    """Return relationships that delete soft-deletable rows permanently with their owner."""
    return [
        str(relation)
        for mapper in mapped.mappers
        for relation in mapper.relationships
        if relation.cascade.delete
        and issubclass(relation.mapper.class_, Model)
        and not issubclass(mapper.class_, Model)
    ]


def required_references_to_entities(mapped: registry) -> list[str]:
    """Return many-to-one relationships that can be None against their type.

    This happens if the target is soft-deleted before the row. It cannot happen if the target owns
    the row.
    """
    found: list[str] = []
    models: dict[str, type[Any]] = {each.class_.__name__: each.class_ for each in mapped.mappers}
    for model in models.values():
        hints = get_type_hints(model, localns=models)
        mapper = cast("Any", inspect(model))
        for relation in mapper.relationships:
            target = relation.mapper.class_
            if relation.direction is not MANYTOONE or not issubclass(target, Model):
                continue
            back = relation.back_populates and relation.mapper.relationships.get(
                relation.back_populates
            )
            is_owned = issubclass(model, Model) and back and back.cascade.delete
            hint = get_args(hints.get(relation.key))
            if not is_owned and hint and NoneType not in get_args(hint[0]):
                found.append(str(relation))
    return sorted(found)


def test_unique_constraints_ignore_deleted_rows() -> None:
    assert not uniques_that_count_deleted_rows(Base.registry), (
        "use `unique_when_not_deleted(...)` in `__table_args__` instead of `unique=True`, a "
        "UniqueConstraint or a unique Index; in a joined "
        "subclass, move the column to the table with `deleted_at`"
    )


def test_soft_deletable_rows_have_soft_deletable_owners() -> None:
    assert not entities_owned_by_records(Base.registry), (
        "deleting the owner removes these rows: make the owner an `Model`, or do not cascade"
    )


def test_references_to_soft_deletable_rows_are_optional_or_owned() -> None:
    assert not required_references_to_entities(Base.registry), (
        "the target may be deleted first: type it `| None`, or let the target own the row "
        '(`cascade="all, delete-orphan"`, both sides with `back_populates`)'
    )
