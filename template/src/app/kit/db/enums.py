"""Enumerations as types of the database."""

from enum import StrEnum

from sqlalchemy import Enum


def stored_by_value(members: type[StrEnum], name: str) -> Enum:
    """The column type for these members, a PostgreSQL type of this name.

    It stores their values; SQLAlchemy alone would store their names, which code may rename.
    """
    return Enum(members, name=name, values_callable=_values)


def _values(members: type[StrEnum]) -> list[str]:
    return [member.value for member in members]
