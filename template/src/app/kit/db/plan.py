"""Load plans: which relations a read brings along."""

from typing import Any

from sqlalchemy.orm import raiseload
from sqlalchemy.orm.interfaces import ORMOption


def plan(*loads: ORMOption) -> tuple[ORMOption, ...]:
    """These relations and no others: touching one that is not named raises.

    Whatever the lazy strategy, a read with a plan sends the statements that the plan names.
    """
    return (*loads, raiseload("*"))


def has_joins(loads: tuple[Any, ...]) -> bool:
    """Whether any of these options is a `joinedload`."""
    parts = (part for load in loads for part in getattr(load, "context", ()))
    return any(("lazy", "joined") in (part.strategy or ()) for part in parts)
