"""Loader options: the relationships that a query loads."""

from typing import Any

from sqlalchemy.orm import raiseload
from sqlalchemy.orm.interfaces import ORMOption


def load_options(*loads: ORMOption) -> tuple[ORMOption, ...]:
    """Return loader options that load only these relationships. Accessing others raises an error.

    These options override the lazy strategy of the service.
    """
    return (*loads, raiseload("*"))


def has_joins(loads: tuple[Any, ...]) -> bool:
    """Return whether any of these options is a `joinedload`."""
    parts = (part for load in loads for part in getattr(load, "context", ()))
    return any(("lazy", "joined") in (part.strategy or ()) for part in parts)
