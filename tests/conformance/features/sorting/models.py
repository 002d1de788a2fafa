"""A model with one column of every type that PostgreSQL sorts."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum as PythonEnum
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CHAR,
    DDL,
    REAL,
    BigInteger,
    Boolean,
    Date,
    DateTime,
    Double,
    Enum,
    Float,
    Identity,
    Integer,
    Interval,
    LargeBinary,
    Numeric,
    SmallInteger,
    String,
    Text,
    Time,
    Uuid,
    event,
)
from sqlalchemy.dialects.postgresql import (
    BIT,
    CIDR,
    CITEXT,
    INET,
    INT4RANGE,
    JSONB,
    MACADDR,
    TSVECTOR,
)
from sqlalchemy.orm import Mapped, deferred, mapped_column

from app.kit.db.base import Base, value_enum

CREATE_CITEXT = DDL("CREATE EXTENSION IF NOT EXISTS citext")  # type: ignore[no-untyped-call]  # no annotations
event.listen(Base.metadata, "before_create", CREATE_CITEXT)


class Mood(StrEnum):
    """An enum whose values are not sorted: the database keeps the order of its members."""

    SAD = "c"
    CALM = "a"
    GLAD = "b"


class Level(PythonEnum):
    """An enum that is stored as text."""

    HIGH = "high"
    LOW = "low"


class SortSample(Base):
    """A row whose columns are nullable, except the identity column."""

    __tablename__ = "conformance_sort_samples"

    number: Mapped[int] = mapped_column(Integer, Identity(), primary_key=True)
    rank: Mapped[int] = mapped_column(BigInteger, Identity(), unique=True)
    small: Mapped[int | None] = mapped_column(SmallInteger)
    whole: Mapped[int | None] = mapped_column(Integer)
    big: Mapped[int | None] = mapped_column(BigInteger)
    real: Mapped[float | None] = mapped_column(REAL)
    inexact: Mapped[float | None] = mapped_column(Float)
    double: Mapped[float | None] = mapped_column(Double)
    exact: Mapped[Decimal | None] = mapped_column(Numeric)
    money: Mapped[Decimal | None] = mapped_column(Numeric(12, 2))
    flag: Mapped[bool | None] = mapped_column(Boolean)
    words: Mapped[str | None] = mapped_column(Text)
    name: Mapped[str | None] = mapped_column(String(20))
    code: Mapped[str | None] = mapped_column(CHAR(4))
    posix: Mapped[str | None] = mapped_column(String(20, collation="C"))
    email: Mapped[str | None] = mapped_column(CITEXT)
    mood: Mapped[Mood | None] = mapped_column(value_enum(Mood, "conformance_mood"))
    level: Mapped[Level | None] = mapped_column(Enum(Level, native_enum=False, length=10))
    uuid: Mapped[UUID | None] = mapped_column(Uuid)
    raw: Mapped[bytes | None] = mapped_column(LargeBinary)
    # The driver cannot read dates outside Python's calendar.
    day: Mapped[date | None] = deferred(mapped_column(Date), raiseload=True)
    moment: Mapped[datetime | None] = deferred(
        mapped_column(DateTime(timezone=True)), raiseload=True
    )
    local: Mapped[datetime | None] = deferred(
        mapped_column(DateTime(timezone=False)), raiseload=True
    )
    clock: Mapped[time | None] = deferred(mapped_column(Time), raiseload=True)
    zoned: Mapped[time | None] = deferred(mapped_column(Time(timezone=True)), raiseload=True)
    lasts: Mapped[timedelta | None] = deferred(mapped_column(Interval), raiseload=True)
    numbers: Mapped[list[int | None] | None] = mapped_column(ARRAY(Integer))
    texts: Mapped[list[str | None] | None] = mapped_column(ARRAY(String(9)))
    reals: Mapped[list[float] | None] = mapped_column(ARRAY(Double))
    moments: Mapped[list[datetime] | None] = deferred(
        mapped_column(ARRAY(DateTime(timezone=True))), raiseload=True
    )
    days: Mapped[list[date | None] | None] = deferred(mapped_column(ARRAY(Date)), raiseload=True)
    document: Mapped[Any | None] = mapped_column(JSONB)
    address: Mapped[Any | None] = mapped_column(INET)
    network: Mapped[Any | None] = mapped_column(CIDR)
    device: Mapped[str | None] = mapped_column(MACADDR)
    bits: Mapped[Any | None] = mapped_column(BIT(4))
    between: Mapped[Any | None] = mapped_column(INT4RANGE)
    terms: Mapped[str | None] = mapped_column(TSVECTOR)
