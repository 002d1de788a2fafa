"""A model with each type of date and time."""

from datetime import datetime, time

from sqlalchemy import ARRAY, DateTime, Time
from sqlalchemy.dialects.postgresql import TIMESTAMP, TSMULTIRANGE, TSTZMULTIRANGE, TSTZRANGE, Range
from sqlalchemy.orm import Mapped, mapped_column

from app.kit.db.base import TimestampedModel


class Appointment(TimestampedModel):
    """An appointment."""

    __tablename__ = "conformance_appointments"

    aware: Mapped[datetime | None]
    precise: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True, precision=3))
    local: Mapped[datetime | None] = mapped_column(DateTime(timezone=False))
    opens: Mapped[time | None]
    opens_in_zone: Mapped[time | None] = mapped_column(Time(timezone=True))
    dates: Mapped[list[datetime] | None] = mapped_column(ARRAY(DateTime(timezone=True)))
    period: Mapped[Range[datetime] | None] = mapped_column(TSTZRANGE)
    periods: Mapped[list[Range[datetime]] | None] = mapped_column(TSTZMULTIRANGE)
    local_periods: Mapped[list[Range[datetime]] | None] = mapped_column(TSMULTIRANGE)
