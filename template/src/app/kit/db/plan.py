"""Loader options: the relationships that a query loads."""

from typing import Any

from sqlalchemy.orm import raiseload
from sqlalchemy.orm.interfaces import ORMOption


def plan(*loads: ORMOption) -> tuple[ORMOption, ...]:
    """Return loader options that load only these relationships. Access to any other one raises.

    The query sends the same statements with every lazy strategy.
    """
    return (*loads, raiseload("*"))


def has_joins(loads: tuple[Any, ...]) -> bool:
    """Return whether any of these options is a `joinedload`."""
    parts = (part for load in loads for part in getattr(load, "context", ()))
    return any(("lazy", "joined") in (part.strategy or ()) for part in parts)
