"""INSERT and UPDATE statements for a single row."""

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import lru_cache, partial
from typing import Any, TypeAlias

from sqlalchemy import Column, Insert, Update, bindparam, insert, inspect, update
from sqlalchemy.orm import Mapper

from app.kit.db.base import attribute_name, next_version, primary_key, table_columns

# Functions that compute the default of each attribute for one execution.
Defaults: TypeAlias = dict[str, Callable[[], Any]]

# SQLAlchemy reserves the names of columns as parameter names.
_PREFIX = "new__"


def insert_row(model: type[Any], names: Iterable[str]) -> Insert:
    """Return an INSERT statement that sets these attributes."""
    mapper = mapper_of(model)
    return insert(model.__table__).values(_values(mapper, names))


def update_row(model: type[Any], names: Iterable[str]) -> Update:
    """Return an UPDATE that sets these attributes in the row with primary key `:row__key`."""
    mapper = mapper_of(model)
    values = next_version(model) | {
        attribute_name(mapper, column): value for column, value in _values(mapper, names).items()
    }
    return update(model).where(primary_key(model) == bindparam("row__key")).values(values)


def arguments(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a statement for these attribute values."""
    return {_PREFIX + name: value for name, value in values.items()}


@lru_cache(maxsize=500)
def insert_defaults(model: Any, names: Collection[str]) -> Defaults:
    """Return the Python-side defaults of the attributes that an INSERT does not set."""
    mapper = mapper_of(model)
    found = _defaults(mapper, names, lambda column: column.default)
    if mapper.polymorphic_on is not None:
        found |= _discriminator(mapper, names)
    version: Any = mapper.version_id_col
    generate = mapper.version_id_generator
    if version is not None and callable(generate):
        found[attribute_name(mapper, version)] = partial(generate, None)
    return found


@lru_cache(maxsize=500)
def update_defaults(model: Any, names: Collection[str]) -> Defaults:
    """Return the Python-side `onupdate` values of the attributes that an UPDATE does not set."""
    return _defaults(mapper_of(model), names, lambda column: column.onupdate)


def _discriminator(mapper: Mapper[Any], names: Iterable[str]) -> Defaults:
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


def _values(mapper: Mapper[Any], names: Iterable[str]) -> dict[Column[Any], Any]:
    columns = {name: _column(mapper, name) for name in names}
    return {
        column: bindparam(_PREFIX + name, type_=column.type) for name, column in columns.items()
    }


def _column(mapper: Mapper[Any], name: str) -> Any:
    column = table_columns(mapper).get(name)
    if column is None:
        raise TypeError(f"{mapper.class_.__name__} has no column for {name!r}.")
    return column


def _defaults(
    mapper: Mapper[Any], names: Iterable[str], default_of: Callable[[Any], Any]
) -> Defaults:
    given = set(names)
    found: dict[str, Callable[[], Any]] = {}
    for name, column in table_columns(mapper).items():
        default = default_of(column)
        # The statement itself contains SQL expressions.
        if name in given or default is None or not (default.is_callable or default.is_scalar):
            continue
        found[name] = _call(default)
    return found


def _call(default: Any) -> Callable[[], Any]:
    if default.is_callable:
        return lambda: default.arg(None)
    return lambda: default.arg
