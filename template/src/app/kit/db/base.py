"""Base classes of the models, and their attributes, columns and enum types."""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache, partial
from typing import Any, ClassVar

from pydantic import BaseModel
from pydantic_core import to_jsonable_python
from sqlalchemy import (
    ARRAY,
    JSON,
    Column,
    ColumnElement,
    Connection,
    DateTime,
    Enum,
    Integer,
    MetaData,
    Text,
    TypeDecorator,
    Uuid,
    any_,
    event,
    func,
    inspect,
    literal,
    select,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncAttrs
from sqlalchemy.orm import (
    DeclarativeBase,
    InstrumentedAttribute,
    Mapped,
    Mapper,
    mapped_column,
    object_session,
)

from app.kit.db.ids import PrimaryKey


def any_of(column: Any, values: Collection[Any]) -> ColumnElement[bool]:
    """Return the condition `column = ANY(values)`, which has no limit on the number of values."""
    condition: ColumnElement[bool] = column == any_(literal(list(values), ARRAY(column.type)))
    return condition


def utc_now() -> datetime:
    """Return the current time, timezone-aware, in UTC."""
    return datetime.now(UTC)


def value_enum(members: type[StrEnum], name: str) -> Enum:
    """Return a column type for the PostgreSQL enum `name`. It stores values, not member names."""

    def values(_members: Any) -> list[str]:
        return [each.value for each in members]

    return Enum(members, name=name, values_callable=values)


class Base(AsyncAttrs, DeclarativeBase):
    """The declarative base. Every constraint has a name that migrations and errors can use."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {datetime: DateTime(timezone=True), str: Text()}


@event.listens_for(Base, "attribute_instrument", propagate=True)
def _store_models_as_json(_model: Any, _name: str, attribute: Any) -> None:
    """Let a JSON column accept Pydantic models. The assignment converts them to JSON values."""
    columns = getattr(attribute.property, "columns", ())
    if columns and isinstance(columns[0].type, JSON):
        event.listen(attribute, "set", _as_json, retval=True)


def _as_json(_record: Any, value: Any, *_: Any) -> Any:
    is_structured = isinstance(value, (BaseModel, dict, list, tuple))
    return to_jsonable_python(value) if is_structured else value


@event.listens_for(Base, "after_mapper_constructed", propagate=True)
def _return_computed_columns(mapper: Any, _model: Any) -> None:
    """Read the columns that PostgreSQL computes with RETURNING, not with a second statement."""
    columns: list[Column[Any]] = [each for each in mapper.columns if isinstance(each, Column)]
    for column in columns:
        on_update = column.onupdate
        is_expression = on_update is not None and on_update.is_clause_element
        if is_expression or column.server_onupdate is not None:
            mapper.eager_defaults = True


@event.listens_for(Base, "mapper_configured", propagate=True)
def _reject_unsupported_version(_mapper: Any, model: type[Base]) -> None:
    # Raises the TypeError when the service starts, not in the first bulk update.
    next_version(model)


def table_name(model: type[Base]) -> str:
    """Return the name of a model's table, prefixed with its schema if it has one."""
    table: Any = model.__table__
    return str(table.fullname)


class TimestampedModel(Base):
    """A model with a primary key and timestamps."""

    __abstract__ = True

    id: Mapped[PrimaryKey]
    created_at: Mapped[datetime] = mapped_column(default=utc_now, server_default=func.now())
    # Python sets this on update as well, so that reading it needs no refresh.
    updated_at: Mapped[datetime] = mapped_column(
        default=utc_now, onupdate=utc_now, server_default=func.now()
    )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.__dict__.get('id', 'new')}>"


@event.listens_for(TimestampedModel, "before_update", propagate=True)
def _set_updated_at(mapper: Mapper[Any], _connection: Connection, record: TimestampedModel) -> None:
    # Joined-table inheritance: if only columns of the subclass change, a flush does not update
    # the base table, which has this column.
    if len(mapper.tables) == 1 or inspect(record).attrs.updated_at.history.added:
        return
    session = object_session(record)
    if session and session.is_modified(record, include_collections=False):
        record.updated_at = utc_now()


def in_base_table(
    model: type[Any], *conditions: ColumnElement[bool]
) -> tuple[Any, tuple[ColumnElement[bool], ...]]:
    """Return the base class of a model, and conditions for the same rows in the base class's table.

    UPDATE and DELETE write one table. With joined-table inheritance, the table of the base class
    has the timestamps. The condition is a subquery that selects and locks the rows of the model.
    """
    mapper: Mapper[Any] = inspect(model)
    if len(mapper.tables) == 1:
        return model, conditions
    base: Any = mapper.base_mapper.class_
    found = select(*key_attributes(model)).where(*conditions).correlate(None).with_for_update()
    return base, (tuple_(*key_attributes(base)).in_(found),)


def primary_key(entity: Any) -> InstrumentedAttribute[Any]:
    """Return the primary key attribute of a model or alias.

    Raises TypeError for a composite primary key.
    """
    keys = key_attributes(entity)
    if len(keys) != 1:
        raise TypeError(
            f"{inspect(entity).mapper.class_.__name__} has a composite primary key"
            f" ({', '.join(each.key for each in keys)}); write your own statements for it"
        )
    return keys[0]


def key_attributes(entity: Any) -> list[InstrumentedAttribute[Any]]:
    """Return the attributes of the primary key of a model or alias, one per column."""
    mapper = getattr(entity, "__mapper__", None) or inspect(entity).mapper
    return [getattr(entity, attribute_name(mapper, column)) for column in mapper.primary_key]


def attribute_name(mapper: Any, column: Column[Any]) -> str:
    """Return the name of the attribute that is mapped to a column."""
    return str(mapper.get_property_by_column(column).key)


def python_default(default: Any) -> Callable[[], Any] | None:
    """Return a function that computes a column's default; None if PostgreSQL computes it."""
    if default is not None and default.is_callable:
        return partial(default.arg, None)  # SQLAlchemy wraps it to take the execution context
    return (lambda: default.arg) if default is not None and default.is_scalar else None


@cache
def table_columns(mapper: Any) -> Mapping[str, Column[Any]]:
    """Return the columns of a model by attribute name, without SQL expressions."""
    columns: dict[str, Column[Any]] = {
        name: column for name, column in mapper.columns.items() if isinstance(column, Column)
    }
    return columns


def check_columns(model: type[Base], names: Iterable[str]) -> None:
    """Raise TypeError for a name that is not an attribute with a column."""
    if unknown := set(names).difference(table_columns(model.__mapper__)):
        raise TypeError(f"{model.__name__} has no column {', '.join(sorted(unknown))}")


def check_one_table(model: type[Base], alternative: str) -> None:
    """Raise TypeError for a model with joined-table inheritance. `alternative` says what to use."""
    if len(model.__mapper__.tables) > 1:
        raise TypeError(f"{model.__name__} is stored in several tables: {alternative}.")


def column_of(model: Any, name: str, *, used_by: str) -> Column[Any]:
    """Return a column by attribute, for modules of release 0.6 that an update kept."""
    column = table_columns(model.__mapper__).get(name)
    if column is None:
        raise TypeError(f"{used_by}.{name}: {model.__name__} has no column attribute of this name")
    return column


def next_version(model: Any) -> dict[str, Any]:
    """Return the version attribute and its new value, or {} for a model without a version column.

    Bulk updates must set it: otherwise a session that read the row earlier would overwrite their
    changes. The value is an SQL expression, because each row has its own version.

    Raises TypeError for a column type whose next version PostgreSQL cannot compute.
    """
    mapper: Any = model.__mapper__
    version = mapper.version_id_col
    # With `version_id_generator=False` the server sets the version.
    if version is None or mapper.version_id_generator is False:
        return {}
    name = attribute_name(mapper, version)
    column_type = version.type
    match column_type.impl_instance if isinstance(column_type, TypeDecorator) else column_type:
        case Integer():
            return {name: version + 1}
        case DateTime():
            return {name: func.clock_timestamp()}
        case Uuid():
            return {name: func.gen_random_uuid()}
        case other:
            raise TypeError(
                f"{model.__name__}.{name}: PostgreSQL cannot compute the next version of type"
                f" {other!r}: use an Integer, a DateTime or a Uuid, or `version_id_generator=False`"
                " with a trigger"
            )
