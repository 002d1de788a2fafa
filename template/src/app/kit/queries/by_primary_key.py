"""Cached statements that read or update one row by primary key.

Building a statement takes as long as running it, and a service has few combinations of model,
loader options and columns.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TypeAlias

from sqlalchemy import ClauseElement, Executable, Select, bindparam, select, update
from sqlalchemy.orm.interfaces import ORMOption

from app.kit.db.base import next_version, primary_key, table_columns
from app.kit.db.deletion import exclude_deleted

LoadOptions: TypeAlias = tuple[ORMOption, ...]


@lru_cache(maxsize=500)
def select_by_primary_key(model: Any, plan: LoadOptions) -> Select[Any]:
    """Return the statement that reads the row with primary key `:key`."""
    return exclude_deleted(
        select(model).where(primary_key(model) == bindparam("key")).options(*plan)
    )


def update_by_primary_key(
    model: Any, plan: LoadOptions, changes: Mapping[str, Any]
) -> tuple[Executable, dict[str, Any]]:
    """Return the statement that updates the row with primary key `:row__key`, and its parameters.

    The statement returns the row. Raises TypeError if a name is not a column of the model.
    """
    columns = table_columns(model.__mapper__)
    for name in changes:
        if name not in columns:
            raise TypeError(f"{model.__name__} has no column {name!r} to update")
    if any(map(_is_expression, changes.values())):
        return _changing(model, plan, changes), {}
    # SQLAlchemy rejects a parameter with the name of a column.
    values = {f"new__{name}": value for name, value in changes.items()}
    return _changing_to_values(model, plan, tuple(changes)), values


@lru_cache(maxsize=500)
def _changing_to_values(model: Any, plan: LoadOptions, names: tuple[str, ...]) -> Executable:
    columns = table_columns(model.__mapper__)
    given = {name: bindparam(f"new__{name}", type_=columns[name].type) for name in names}
    return _changing(model, plan, given)


def _changing(model: Any, plan: LoadOptions, changes: Mapping[str, Any]) -> Executable:
    return exclude_deleted(
        update(model)
        .where(primary_key(model) == bindparam("row__key"))
        .values({**next_version(model), **changes})
        .returning(model)
        .options(*plan)
        # Refreshes the object from RETURNING.
        .execution_options(populate_existing=True, synchronize_session=False)
    )


def _is_expression(value: Any) -> bool:
    return isinstance(value, ClauseElement) or hasattr(value, "__clause_element__")
