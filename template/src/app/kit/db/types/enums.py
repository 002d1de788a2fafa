"""Enum columns."""

from enum import StrEnum

from sqlalchemy import Enum


def value_enum(members: type[StrEnum], name: str) -> Enum:
    """Return a column type that uses the PostgreSQL enum type `name`.

    It stores the values of the members. By default, SQLAlchemy stores the member names, which code
    may rename.
    """
    return Enum(members, name=name, values_callable=_values)


def _values(members: type[StrEnum]) -> list[str]:
    return [member.value for member in members]
