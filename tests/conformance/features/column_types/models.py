"""Models with columns of every common PostgreSQL type."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from ipaddress import IPv4Interface, IPv4Network, IPv6Interface, IPv6Network
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CHAR,
    DDL,
    JSON,
    REAL,
    Computed,
    DateTime,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    SmallInteger,
    String,
    Text,
    Time,
    UniqueConstraint,
    Uuid,
    event,
    func,
)
from sqlalchemy.dialects.postgresql import (
    BIT,
    CIDR,
    DATERANGE,
    INET,
    INT4RANGE,
    JSONB,
    MACADDR,
    TSVECTOR,
    BitString,
    Range,
)
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import BigInteger

from app.kit.db.base import Base, TimestampedModel, value_enum
from app.kit.db.deletion import Model
from app.kit.db.ids import Id
from app.kit.db.relationships import relationship

SCHEMA = "conformance_other"
# Base.metadata creates the tables without a migration, so it must create the schema as well.
CREATE_SCHEMA = DDL(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")  # type: ignore[no-untyped-call]  # no annotations
event.listen(Base.metadata, "before_create", CREATE_SCHEMA)


class TypedColour(StrEnum):
    """An enum whose names differ from its values."""

    RED = "red"
    DARK_BLUE = "dark-blue"


COLOUR = value_enum(TypedColour, "conformance_everything_colour")


class TypedPlace(TimestampedModel):
    """The target of a composite foreign key, in another schema."""

    __tablename__ = "conformance_everything_places"
    __table_args__ = (UniqueConstraint("country", "city"), {"schema": SCHEMA})

    country: Mapped[str] = mapped_column(String(2))
    city: Mapped[str] = mapped_column(String(40))


class TypedRow(Model):
    """A model with a column of every common type."""

    __tablename__ = "conformance_everything"
    __table_args__ = (
        UniqueConstraint("code"),
        ForeignKeyConstraint(
            ["country", "city"],
            [
                f"{SCHEMA}.conformance_everything_places.country",
                f"{SCHEMA}.conformance_everything_places.city",
            ],
            ondelete="RESTRICT",
        ),
        Index(None, "country", "city"),
        Index(None, "parent_id"),
    )

    code: Mapped[int] = mapped_column(BigInteger)
    small: Mapped[int | None] = mapped_column(SmallInteger)
    integer: Mapped[int | None] = mapped_column(Integer)
    big: Mapped[int | None] = mapped_column(BigInteger)
    price: Mapped[Decimal | None] = mapped_column(Numeric(10, 2))
    number: Mapped[Decimal | None] = mapped_column(Numeric())
    single: Mapped[float | None] = mapped_column(REAL)
    double: Mapped[float | None] = mapped_column(Double)
    flag: Mapped[bool | None]
    text: Mapped[str | None] = mapped_column(Text)
    varchar: Mapped[str | None] = mapped_column(String(20))
    fixed: Mapped[str | None] = mapped_column(CHAR(3))
    binary: Mapped[bytes | None] = mapped_column(LargeBinary)
    token: Mapped[UUID | None] = mapped_column(Uuid)
    day: Mapped[date | None]
    clock: Mapped[time | None] = mapped_column(Time)
    clock_tz: Mapped[time | None] = mapped_column(Time(timezone=True))
    moment: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    local: Mapped[datetime | None] = mapped_column(DateTime(timezone=False))
    duration: Mapped[timedelta | None]
    document: Mapped[Any] = mapped_column(JSONB, nullable=True)
    plain_json: Mapped[Any] = mapped_column(JSON, nullable=True)
    integers: Mapped[list[int] | None] = mapped_column(ARRAY(Integer))
    decimals: Mapped[list[Decimal] | None] = mapped_column(ARRAY(Numeric))
    words: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    colours: Mapped[list[TypedColour] | None] = mapped_column(ARRAY(COLOUR))
    colour: Mapped[TypedColour | None] = mapped_column(COLOUR)
    address: Mapped[IPv4Interface | IPv6Interface | None] = mapped_column(INET)
    network: Mapped[IPv4Network | IPv6Network | None] = mapped_column(CIDR)
    mac: Mapped[str | None] = mapped_column(MACADDR)
    numbers: Mapped[Range[int] | None] = mapped_column(INT4RANGE)
    days: Mapped[Range[date] | None] = mapped_column(DATERANGE)
    bits: Mapped[BitString | None] = mapped_column(BIT(8))
    # The attribute name differs from the column name, because `metadata` is reserved.
    meta: Mapped[dict[str, Any] | None] = mapped_column("metadata", JSONB)
    rank: Mapped[int] = mapped_column(Integer, server_default="7")
    serial: Mapped[int] = mapped_column(Integer, Identity(always=True))
    twice: Mapped[int | None] = mapped_column(BigInteger, Computed("integer::bigint * 2"))
    search: Mapped[str | None] = mapped_column(
        TSVECTOR, Computed("to_tsvector('simple', coalesce(varchar, ''))"), deferred=True
    )
    stamped: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())

    parent_id: Mapped[Id | None] = mapped_column(
        ForeignKey("conformance_everything.id", ondelete="SET NULL")
    )
    country: Mapped[str | None] = mapped_column(String(2))
    city: Mapped[str | None] = mapped_column(String(40))

    parent: Mapped["TypedRow | None"] = relationship(remote_side="TypedRow.id")
    place: Mapped[TypedPlace | None] = relationship()


class TypedVehicle(Model):
    """The root of a joined-table inheritance."""

    __tablename__ = "conformance_everything_vehicles"
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "vehicle"}  # noqa: RUF012 - as SQLAlchemy

    kind: Mapped[str] = mapped_column(String(20))
    name: Mapped[str] = mapped_column(String(40))


class TypedTruck(TypedVehicle):
    """A subclass with its own table."""

    __tablename__ = "conformance_everything_trucks"
    __mapper_args__ = {"polymorphic_identity": "truck"}  # noqa: RUF012 - as SQLAlchemy

    id: Mapped[Id] = mapped_column(
        ForeignKey("conformance_everything_vehicles.id", ondelete="CASCADE"), primary_key=True
    )
    load: Mapped[int] = mapped_column(Integer)


class TypedBicycle(TypedVehicle):
    """A subclass in the table of its base class."""

    __mapper_args__ = {"polymorphic_identity": "bicycle"}  # noqa: RUF012 - as SQLAlchemy

    gears: Mapped[int | None] = mapped_column(SmallInteger)
