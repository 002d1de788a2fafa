"""INSERT and UPDATE statements for a single row."""

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import lru_cache, partial
from typing import Any, TypeAlias

from sqlalchemy import BindParameter, Insert, Update, bindparam, insert, inspect, update
from sqlalchemy.orm import Mapper

from app.kit.db.base import (
    attribute_name,
    check_columns,
    next_version,
    primary_key,
    python_default,
    table_columns,
)

# Functions that compute the default of each attribute for one execution.
Defaults: TypeAlias = dict[str, Callable[[], Any]]

# SQLAlchemy reserves parameter names that are equal to the names of columns.
_PREFIX = "new__"


def insert_row(model: type[Any], names: Iterable[str]) -> Insert:
    """Return an INSERT statement that sets these attributes."""
    columns = table_columns(mapper_of(model))
    parameters = _parameters(model, names)
    return insert(model.__table__).values({columns[name]: parameters[name] for name in parameters})


def update_row(model: type[Any], names: Iterable[str]) -> Update:
    """Return an UPDATE that sets these attributes in the row with primary key `:row__key`."""
    values = next_version(model) | _parameters(model, names)
    return update(model).where(primary_key(model) == bindparam("row__key")).values(values)


def arguments(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the named parameters of a statement that sets attributes to these values."""
    return {_PREFIX + name: value for name, value in values.items()}


@lru_cache(maxsize=500)
def insert_defaults(model: Any, names: Collection[str]) -> Defaults:
    """Return the Python-side defaults of the attributes that an INSERT does not set."""
    mapper = mapper_of(model)
    defaults = _defaults(mapper, names, lambda column: column.default)
    if mapper.polymorphic_on is not None:
        defaults |= _discriminator(mapper, names)
    version: Any = mapper.version_id_col
    generate = mapper.version_id_generator
    if version is not None and callable(generate):
        defaults[attribute_name(mapper, version)] = partial(generate, None)
    return defaults


@lru_cache(maxsize=500)
def update_defaults(model: Any, names: Collection[str]) -> Defaults:
    """Return the Python-side `onupdate` values of the attributes that an UPDATE does not set."""
    return _defaults(mapper_of(model), names, lambda column: column.onupdate)


def _discriminator(mapper: Mapper[Any], names: Collection[str]) -> Defaults:
    """Return the value of the discriminator column (single-table inheritance)."""
    column: Any = mapper.polymorphic_on
    identity = mapper.polymorphic_identity
    if identity is None or column not in mapper.columns.values():
        raise TypeError(f"{mapper.class_.__name__} has no polymorphic identity: insert a subclass.")
    name = attribute_name(mapper, column)
    if name in names:
        raise TypeError(f"{mapper.class_.__name__}.{name} is set by the class: do not pass it.")
    return {name: lambda: identity}


def mapper_of(model: type[Any]) -> Mapper[Any]:
    """Return the mapper of a model. Raises TypeError if the model has several tables."""
    mapper: Mapper[Any] = inspect(model)
    if len(mapper.tables) > 1:
        raise TypeError(
            f"{model.__name__} is stored in several tables: write it with a repository."
        )
    return mapper


def _parameters(model: Any, names: Iterable[str]) -> dict[str, BindParameter[Any]]:
    """Return a parameter for each attribute."""
    columns = table_columns(mapper_of(model))
    check_columns(model, names)
    return {name: bindparam(_PREFIX + name, type_=columns[name].type) for name in names}


def _defaults(
    mapper: Mapper[Any], names: Collection[str], default_of: Callable[[Any], Any]
) -> Defaults:
    defaults: Defaults = {}
    for name, column in table_columns(mapper).items():
        # SQLAlchemy adds other defaults, which are SQL expressions, to the statement.
        if name not in names and (default := python_default(default_of(column))):
            defaults[name] = default
    return defaults
