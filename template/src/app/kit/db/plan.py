"""Load plans: which relations a read brings along."""

from sqlalchemy.orm import raiseload
from sqlalchemy.orm.interfaces import ORMOption


def plan(*loads: ORMOption) -> tuple[ORMOption, ...]:
    """These relations and no others: touching one that is not named raises.

    Whatever the lazy strategy, a read with a plan sends the statements that the plan names.
    """
    return (*loads, raiseload("*"))
