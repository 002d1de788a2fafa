"""Soft delete: the model base, and the UPDATE statements that hide rows with what they own."""

from collections.abc import Container, Iterable, Iterator, Sequence
from datetime import datetime
from functools import cache
from typing import Any, TypeVar, cast

from sqlalchemy import (
    ARRAY,
    ColumnClause,
    ColumnElement,
    Executable,
    Join,
    Select,
    and_,
    any_,
    event,
    inspect,
    literal,
    orm,
    true,
    update,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import (
    Mapped,
    Mapper,
    RelationshipProperty,
    aliased,
    mapped_column,
    with_loader_criteria,
)
from sqlalchemy.sql.visitors import iterate

from app.kit.db.attributes import next_version
from app.kit.db.base import Base, Record, in_base_table
from app.kit.db.ids import Id

S = TypeVar("S", bound=Executable)
INCLUDE_DELETED = {"include_deleted": True}
_NAMED = "soft_delete_named"
_CRITERIA = "additional_entity_criteria"  # as SQLAlchemy keeps those of a statement


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
    # A concurrent update that read the old version must fail.
    values = {"deleted_at": new, **next_version(model)}
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


# Made once: a statement takes longer to be told its criteria than to be looked up compiled.
LIVING = with_loader_criteria(
    Entity, lambda model: model.deleted_at.is_(None), include_aliases=True
)


def living(statement: S) -> S:
    """Return a statement that finds no deleted row, for one that runs without a session."""
    filtered: Any = filter_select(statement) if isinstance(statement, Select) else statement
    return cast("S", filtered.options(LIVING).execution_options(living_only=True))


def filter_select(statement: Any, criteria: Container[Any] | None = None) -> Any:
    """Return a SELECT that `with_loader_criteria` filters.

    It finds no entity in a column that is a window function, FILTER, WITHIN GROUP or `extract`, nor
    in the sides of a join that was not made by `Select.join`. Each of them is named in WHERE
    without a condition, so that `include_deleted` still finds every row. Raises TypeError for an
    outer join that cannot be filtered, where `criteria` has any for it: by default, it has.
    """
    bare = [each for each in statement._raw_columns if "parententity" not in each._annotations]
    joins: list[Any] = [source for source in statement._from_obj if isinstance(source, Join)]
    found = {*_entities_in(bare), *(side for each in joins for side in _sides(each, criteria))}
    for entity in found - {each._annotations.get(_NAMED) for each in statement._where_criteria}:
        named = cast("Any", true())._annotate({"parententity": inspect(entity), _NAMED: entity})
        # So that SQLAlchemy takes it for a statement of the ORM.
        statement = statement.where(named._set_propagate_attrs(entity.deleted_at._propagate_attrs))
    return statement


@compiles(Select)
def _filter_nested(statement: Any, compiler: Any, **options: Any) -> str:
    # A session filters the outermost SELECT; those within it are filtered as they are compiled.
    filtered = filter_select(statement, compiler._global_attributes)
    text: str = compiler.visit_select(filtered, **options)
    return text


def filter_other_tables(statement: Any) -> Any:
    """Return an UPDATE or DELETE that finds no deleted row in other tables (FROM, USING)."""
    target = statement.entity_description.get("entity")
    for entity in dict.fromkeys(_entities_in(statement._where_criteria)):
        if entity is target:
            continue
        if len(inspect(entity).mapper.tables) > 1:
            raise TypeError(
                f"{entity} has several tables: use `.in_(select(...))` in place of its columns."
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
            if issubclass(found.mapper.class_, Entity):
                yield found.entity


def _sides(source: Any, criteria: Container[Any] | None) -> Iterator[Any]:
    """Yield the entities that a join reads."""
    for side in (source.left, source.right):
        found = side._annotations.get("parententity")
        if isinstance(side, Join):
            yield from _sides(side, criteria)
        elif found is not None and issubclass(found.mapper.class_, Entity):
            is_outer = source.full or (source.isouter and side is source.right)
            if is_outer and (criteria is None or (_CRITERIA, found.mapper) in criteria):
                raise TypeError(
                    f"An outer join with {found} would read its deleted rows: use "
                    "`select_from(...).outerjoin(...)` in place of `outerjoin(...)`."
                )
            yield found.entity


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
