"""A model with narrow columns and a unique pair of columns."""

from decimal import Decimal

from sqlalchemy import Numeric, SmallInteger, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.kit.db.base import TimestampedModel


class Room(TimestampedModel):
    """A room of a building."""

    __tablename__ = "conformance_rooms"
    __table_args__ = (UniqueConstraint("building", "number"),)

    building: Mapped[str]
    number: Mapped[int]
    floor: Mapped[int] = mapped_column(SmallInteger, unique=True)
    price: Mapped[Decimal] = mapped_column(Numeric(8, 2))
