"""Model attributes and their columns. An attribute may have another name than its column."""

from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from typing import Any, cast

from sqlalchemy import Column, DateTime, Integer, TypeDecorator, Uuid, func, inspect
from sqlalchemy.orm import InstrumentedAttribute


def _primary_key(entity: Any) -> InstrumentedAttribute[Any]:
    """Return the primary key attribute of a model or alias.

    Raises TypeError for a composite primary key.
    """
    mapper = getattr(entity, "__mapper__", None) or inspect(entity).mapper
    if len(mapper.primary_key) != 1:
        names = ", ".join(attribute_name(mapper, column) for column in mapper.primary_key)
        raise TypeError(
            f"{mapper.class_.__name__} has a composite primary key ({names});"
            " write your own statements for it"
        )
    key: InstrumentedAttribute[Any] = getattr(entity, attribute_name(mapper, mapper.primary_key[0]))
    return key


# Cached, because most statements need it.
primary_key = cast(
    "Callable[[Any], InstrumentedAttribute[Any]]", lru_cache(maxsize=500)(_primary_key)
)


def attribute_name(mapper: Any, column: Column[Any]) -> str:
    """Return the name of the attribute that is mapped to a column."""
    name: str = mapper.get_property_by_column(column).key
    return name


@cache
def table_columns(mapper: Any) -> Mapping[str, Column[Any]]:
    """Return the columns of a model by attribute name, without SQL expressions."""
    columns: dict[str, Any] = dict(mapper.columns.items())
    expressions = {name for name, column in columns.items() if not isinstance(column, Column)}
    return {name: column for name, column in columns.items() if name not in expressions}


def get_column(model: Any, name: str, *, used_by: str) -> Column[Any]:
    """Return the column of an attribute. Raises TypeError if the model has no such column."""
    column: Column[Any] | None = table_columns(model.__mapper__).get(name)
    if column is None:
        raise TypeError(f"{used_by}.{name}: {model.__name__} has no column attribute of this name")
    return column


def next_version(model: Any) -> dict[str, Any]:
    """Return the version attribute and its new value, or {} for a model without a version column.

    Bulk updates must set it: otherwise a session that read the row earlier would overwrite their
    changes. PostgreSQL computes the value, because the statement is compiled once.

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
