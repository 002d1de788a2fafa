"""The attributes of a model, by the names that its code uses rather than those of its columns."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import Column, DateTime, Integer, TypeDecorator, Uuid, func, inspect
from sqlalchemy.orm import InstrumentedAttribute


def primary_key(entity: Any) -> InstrumentedAttribute[Any]:
    """The primary key of a model or of an alias; TypeError where it has several columns."""
    mapper = getattr(entity, "__mapper__", None) or inspect(entity).mapper
    if len(mapper.primary_key) != 1:
        names = ", ".join(attribute_name(mapper, column) for column in mapper.primary_key)
        raise TypeError(
            f"{mapper.class_.__name__} has a composite primary key ({names});"
            " read and write its rows with statements of your own"
        )
    key: InstrumentedAttribute[Any] = getattr(entity, attribute_name(mapper, mapper.primary_key[0]))
    return key


def attribute_name(mapper: Any, column: Column[Any]) -> str:
    """The name of the attribute that holds a column."""
    name: str = mapper.get_property_by_column(column).key
    return name


@cache
def table_columns(mapper: Any) -> Mapping[str, Column[Any]]:
    """Return the columns of a model by attribute, without SQL expressions (`column_property`)."""
    columns: dict[str, Any] = dict(mapper.columns.items())
    expressions = {name for name, column in columns.items() if not isinstance(column, Column)}
    return {name: column for name, column in columns.items() if name not in expressions}


def column_of(model: Any, name: str, *, used_by: str) -> Column[Any]:
    """The column behind an attribute; TypeError where it is none."""
    column: Column[Any] | None = table_columns(model.__mapper__).get(name)
    if column is None:
        raise TypeError(f"{used_by}.{name}: {model.__name__} has no column attribute of this name")
    return column


def next_version(model: Any) -> dict[str, Any]:
    """What makes an update the next version of its rows, where a model counts them.

    Whoever read a row before must not save it over this change. PostgreSQL computes the value, as a
    statement is compiled once. Raises TypeError if it cannot.
    """
    mapper: Any = model.__mapper__
    version = mapper.version_id_col
    # Where the server sets it, so it does here.
    if version is None or mapper.version_id_generator is False:
        return {}
    name = attribute_name(mapper, version)
    kind = version.type
    match kind.impl_instance if isinstance(kind, TypeDecorator) else kind:
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
