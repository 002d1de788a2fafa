"""Soft delete: the base class of models and the filters, which `app.kit.db.deletion` applies."""

from collections.abc import Container, Iterable, Iterator, Sequence
from datetime import datetime
from functools import cache
from typing import Any, TypeVar, cast

from sqlalchemy import (
    ColumnClause,
    ColumnElement,
    Executable,
    Join,
    Select,
    and_,
    event,
    inspect,
    orm,
    true,
    update,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Mapped, Mapper, RelationshipProperty, aliased, mapped_column
from sqlalchemy.sql.selectable import FromGrouping
from sqlalchemy.sql.visitors import iterate

from app.kit.db.base import Base, TimestampedModel, any_of, in_base_table, next_version
from app.kit.db.ids import Id

S = TypeVar("S", bound=Executable)
INCLUDE_DELETED = {"include_deleted": True}
# Annotation of a condition that `filter_select` added for an entity.
_ADDED_FOR = "soft_delete_added_for"
_CRITERIA = "additional_entity_criteria"  # SQLAlchemy's key for the criteria of a statement


class Model(TimestampedModel):
    """A soft-deleted model. The execution option `include_deleted` disables the filter."""

    __abstract__ = True

    deleted_at: Mapped[datetime | None] = mapped_column()

    def __init__(self, **values: Any) -> None:
        # Otherwise the attribute is unloaded, and a bulk UPDATE would not update it in the object.
        super().__init__(**{"deleted_at": None} | values)


@cache
def owning_relationships(owner: type[Any]) -> tuple[RelationshipProperty[Any], ...]:
    """Return the relationships whose rows are soft-deleted with their owner, also of subclasses."""
    mapper: Mapper[Any] = inspect(owner)
    # Ordered, so that all processes lock the tables in the same order.
    found = dict.fromkeys(each for sub in mapper.self_and_descendants for each in sub.relationships)
    owning = (each for each in found if each.cascade.delete)
    return tuple(each for each in owning if issubclass(each.mapper.class_, Model))


def set_deleted_at(
    session: orm.Session,
    model: type[Model],
    *conditions: ColumnElement[bool],
    old: datetime | None,
    new: datetime | None,
) -> Sequence[Id]:
    """Set `deleted_at` of matching rows, and of the rows that they own, from `old` to `new`.

    Returns the primary keys of the matching rows that changed.
    """
    # The new version makes a concurrent update of the old version fail.
    values = {"deleted_at": new, **next_version(model)}
    stored, where = in_base_table(model, *conditions)
    statement = update(stored).where(*where, stored.deleted_at == old)
    changing = statement.values(values).returning(stored.id)
    changed = session.scalars(changing, execution_options=INCLUDE_DELETED).all()
    set_deleted_at_of_owned(session, model, changed, old=old, new=new)
    return changed


def set_deleted_at_of_owned(
    session: orm.Session,
    owner: type[Model],
    ids: Sequence[Id],
    *,
    old: datetime | None,
    new: datetime | None,
) -> None:
    """Set `deleted_at` of all rows that these rows own, with one UPDATE per relationship."""
    for relationship in owning_relationships(owner) if ids else ():
        child = relationship.mapper.class_
        parent: Any = aliased(relationship.parent.class_, flat=True)
        # The relationship's join condition covers composite keys, secondary tables and directions.
        owned = and_(any_of(parent.id, ids), getattr(parent, relationship.key).expression)
        set_deleted_at(session, child, owned, old=old, new=new)


# A constant, because creating it takes longer than looking up a compiled statement.
NOT_DELETED = orm.with_loader_criteria(
    Model, lambda cls: cls.deleted_at.is_(None), include_aliases=True
)


def exclude_deleted(statement: S) -> S:
    """Return the statement without deleted rows. A session does this for each statement."""
    filtered: Any = filter_select(statement) if isinstance(statement, Select) else statement
    return cast("S", filtered.options(NOT_DELETED).execution_options(excludes_deleted=True))


def filter_select(statement: Any, criteria: Container[Any] | None = None) -> Any:
    """Return a SELECT in which `with_loader_criteria` filters every entity.

    `with_loader_criteria` filters the entities that it finds in columns, WHERE and `Select.join`.
    It misses entities in window functions, FILTER, WITHIN GROUP, `extract` and other joins. For
    each of them, this function adds the condition `true` to WHERE, annotated with the entity.

    Raises TypeError for an outer join that was not built with `Select.join`, because a condition in
    WHERE would also remove its rows without a match. `criteria` are the loader criteria of the
    statement. If given (when compiling), only an outer join with an entity listed there raises.
    """
    # Expressions of columns, such as window functions. SQLAlchemy finds annotated columns itself.
    expressions = [c for c in statement._raw_columns if "parententity" not in c._annotations]
    joins: list[Any] = [source for source in statement._from_obj if isinstance(source, Join)]
    found = set(_entities_in(expressions))
    found.update(*(_entities_of_join(join, criteria) for join in joins))
    added = {each._annotations.get(_ADDED_FOR) for each in statement._where_criteria}
    for entity in found - added:
        annotations = {"parententity": inspect(entity), _ADDED_FOR: entity}
        condition = cast("Any", true())._annotate(annotations)
        # Makes SQLAlchemy treat it as an ORM statement.
        orm_attributes = entity.deleted_at._propagate_attrs
        statement = statement.where(condition._set_propagate_attrs(orm_attributes))
    return statement


@compiles(Select)
def _filter_nested(statement: Any, compiler: Any, **options: Any) -> str:
    # SQLAlchemy calls this for every SELECT of the process that it compiles, including nested ones.
    # The session filters only the outermost SELECT.
    filtered = filter_select(statement, compiler._global_attributes)
    text: str = compiler.visit_select(filtered, **options)
    return text


def filter_other_tables(statement: Any) -> Any:
    """Return an UPDATE or DELETE that excludes deleted rows of its other tables (FROM, USING)."""
    target = statement.entity_description.get("entity")
    for entity in dict.fromkeys(_entities_in(statement._where_criteria)):
        if entity is target:
            continue
        if len(inspect(entity).mapper.tables) > 1:
            raise TypeError(
                f"{entity} has several tables. Use `.in_(select(...))` instead of its columns."
            )
        statement = statement.where(entity.deleted_at.is_(None))
    return statement


def _entities_in(clauses: Iterable[Any]) -> Iterator[Any]:
    """Yield the entities and aliases that these clauses add to FROM."""
    for clause in clauses:
        tables = set(clause._from_objects)
        for part in cast("Iterable[Any]", iterate(clause) if tables else ()):
            found = part._annotations.get("parententity")
            if found is None or not isinstance(part, ColumnClause) or part.table not in tables:
                continue
            if issubclass(found.mapper.class_, Model):
                yield found.entity


def _entities_of_join(
    join: Any, criteria: Container[Any] | None, *, is_within_outer: bool = False
) -> Iterator[Any]:
    for operand in (join.left, join.right):
        is_outer = is_within_outer or join.full or (join.isouter and operand is join.right)
        # A nested join is in parentheses.
        is_grouped = isinstance(operand, FromGrouping)
        side: Any = cast("Any", operand).element if is_grouped else operand
        found = side._annotations.get("parententity")
        if isinstance(side, Join):
            yield from _entities_of_join(side, criteria, is_within_outer=is_outer)
        elif found is not None and issubclass(found.mapper.class_, Model):
            if is_outer and (criteria is None or (_CRITERIA, found.mapper) in criteria):
                raise TypeError(
                    f"An outer join with {found} would return deleted rows. Use "
                    "`select_from(...).outerjoin(...)` instead of `outerjoin(...)`."
                )
            yield found.entity


@event.listens_for(Base, "mapper_configured", propagate=True)
def _reject_unsupported(mapper: Mapper[Any], model: type[Base]) -> None:
    base = mapper.base_mapper.class_
    if issubclass(model, Model) and mapper.concrete:
        raise TypeError(
            f"{model.__name__}: a soft-deleted `Model` does not support concrete table "
            "inheritance. Use single-table or joined-table inheritance, or an abstract base class."
        )
    if issubclass(model, Model) and not issubclass(base, Model):
        raise TypeError(
            f"{model.__name__} is a `Model`, but inherits from {base.__name__}, which is not. "
            f"Queries of {base.__name__} would return deleted rows. Make {base.__name__} a `Model`."
        )
    names: dict[Any, str] = {
        each.local_table: each.class_.__name__
        for each in mapper.registry.mappers
        if issubclass(each.class_, Model)
    }
    for relationship in mapper.relationships:
        name = names.get(relationship.secondary)
        if name and not _excludes_deleted(relationship):
            raise TypeError(
                f"{relationship} would follow deleted rows of {name}. Use a relationship to {name} "
                "instead of `secondary`, or set `viewonly=True` and add `deleted_at IS NULL` to "
                "`primaryjoin` or `secondaryjoin`."
            )


def _excludes_deleted(relationship: RelationshipProperty[Any]) -> bool:
    secondary: Any = relationship.secondary
    deleted_at = secondary.c.deleted_at
    return relationship.viewonly and any(
        isinstance(part, ColumnClause) and part.shares_lineage(deleted_at)
        for condition in (relationship.primaryjoin, relationship.secondaryjoin)
        if condition is not None
        for part in iterate(condition)
    )
