"""A model for the tests of compiled queries."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import DateTime, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from app.kit.db.base import utc_now, value_enum


class Own(DeclarativeBase):
    """Base of the tables of these tests, outside the service's own metadata."""


class Kind(StrEnum):
    """An enum that is stored by value."""

    ROUND = "round"
    FLAT = "flat"


class Thing(Own):
    """A model with client-side defaults and a server default."""

    __tablename__ = "kit_things"
    number: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(10), unique=True)
    kind: Mapped[Kind] = mapped_column(value_enum(Kind, "kit_kind"), default=Kind.FLAT)
    made_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=utc_now)
    seen: Mapped[int] = mapped_column(default=0)
    place: Mapped[str] = mapped_column(server_default="here")
