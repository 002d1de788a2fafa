"""Models, tables, endpoints and answers of the service, as the generator reads them."""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast, get_args

from sqlalchemy import Column, Enum, String, inspect
from sqlalchemy.orm import Mapper

from app import registry
from app.kit.cli.errors import CommandFailed
from app.kit.db import deletion
from app.kit.db.base import Base, TimestampedModel, table_columns
from app.kit.db.ids import Id
from app.kit.migrations.runner import PROJECT_ROOT
from scaffold.names import snake_case

# Names of columns that describe a row, the best first.
_LABEL_COLUMNS = ("name", "title", "number", "label", "code", "slug", "email", "subject", "sku")


@dataclass(frozen=True)
class Target:
    """A model that a field can refer to."""

    model: type[TimestampedModel]

    @property
    def cls(self) -> str:
        """The name of its class."""
        return self.model.__name__

    @property
    def module(self) -> str:
        """The module that defines it."""
        return self.model.__module__

    @property
    def name(self) -> str:
        """The name of its class in snake_case."""
        return snake_case(self.cls)

    @property
    def table(self) -> str:
        """The name of its table."""
        return str(self.model.__tablename__)

    @property
    def soft_deletes(self) -> bool:
        """Whether its rows are soft-deleted, so that other rows may still refer to them."""
        return soft_deletes() and issubclass(self.model, cast("type[Any]", deletion.Model))

    @cached_property
    def columns(self) -> dict[str, Column[Any]]:
        """Its columns by attribute."""
        return dict(table_columns(inspect(self.model)))

    @property
    def referenced_tables(self) -> list[str]:
        """The tables that its foreign keys refer to, one for each key."""
        keys = (key for column in self.columns.values() for key in column.foreign_keys)
        return [key.column.table.name for key in keys]

    @property
    def depends_on(self) -> set[str]:
        """The tables that it refers to, directly or through others."""
        found: set[str] = set()
        tables = [Base.metadata.tables[self.table]]
        while tables:
            new = {key.column.table for key in tables.pop().foreign_keys}
            tables += [each for each in new if each.name not in found]
            found |= {each.name for each in new}
        return found

    @property
    def label_column(self) -> str | None:
        """The text column that describes a row, if it has one."""
        texts = [
            name
            for name, column in self.columns.items()
            if isinstance(column.type, String)
            and not isinstance(column.type, Enum)
            and not column.nullable
            and "password" not in name
        ]
        preferred = [name for name in _LABEL_COLUMNS if name in texts]
        return next(iter([*preferred, *texts]), None)


def soft_deletes() -> bool:
    """Return whether the service soft-deletes rows."""
    return deletion.Model is not TimestampedModel


def has_auth() -> bool:
    """Return whether endpoints need a token."""
    return find_spec("app.kit.auth") is not None


def has_integer_ids() -> bool:
    """Return whether primary keys are integers rather than UUIDs."""
    return int in (Id, *get_args(Id))


def mappers() -> Iterator[Mapper[Any]]:
    """Yield the mappers of all models of the service."""
    assert registry.ROUTERS  # noqa: S101 - importing the registry defines the models
    yield from sorted(Base.registry.mappers, key=lambda mapper: mapper.class_.__name__)


def find_target(name: str, spec: str) -> Target:
    """Return the model with this table or class name; raises CommandFailed with similar names."""
    found: dict[str, type[Any]] = {}
    for mapper in mappers():
        model = mapper.class_
        for each in (str(mapper.local_table), model.__name__, snake_case(model.__name__)):
            found.setdefault(each, model)
    if name not in found:
        close = difflib.get_close_matches(name, found, n=3)
        others = f" Did you mean {' or '.join(close)}?" if close else ""
        raise CommandFailed(f"`{spec}`: there is no table `{name}`.{others}")
    model = found[name]
    if not issubclass(model, TimestampedModel) or inspect(model).inherits:
        raise CommandFailed(
            f"`{spec}`: {model.__name__} has no primary key of its own: refer to a subclass of "
            "TimestampedModel or Model."
        )
    return Target(model)


def table_names() -> set[str]:
    """Return the names of all tables and enum types, which share one namespace."""
    enums = (
        column.type.name
        for table in Base.metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, Enum)
    )
    return {*Base.metadata.tables, *filter(None, enums)}


def class_names() -> set[str]:
    """Return the names of all models."""
    return {mapper.class_.__name__ for mapper in mappers()}


def paths() -> set[str]:
    """Return the first segment of the path of each endpoint."""
    routes = [route for router in registry.ROUTERS for route in router.routes]
    return {str(getattr(route, "path", "")).strip("/").partition("/")[0] for route in routes}


def root() -> Path:
    """Return the root folder of the service."""
    return PROJECT_ROOT
