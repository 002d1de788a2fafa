"""Models with unusual mappings: names, versions, keys and relationships."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from ipaddress import IPv4Interface
from typing import Any

from sqlalchemy import (
    ARRAY,
    Column,
    Computed,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    String,
    Table,
    UniqueConstraint,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import (
    INET,
    INT4RANGE,
    JSONB,
    TSVECTOR,
    ExcludeConstraint,
    Range,
)
from sqlalchemy.orm import Mapped, column_property, mapped_column

from app.kit.db.base import Base, value_enum
from app.kit.db.deletion import Model, unique_when_not_deleted
from app.kit.db.ids import Id
from app.kit.db.relationships import relationship

SCHEMA = "conformance assorted"


class Zone(StrEnum):
    """A part of a composite primary key."""

    NORTH = "north side"
    SOUTH = "south side"


class Tile(Base):
    """A composite primary key of renamed columns, including an enum."""

    __tablename__ = "conformance_tiles"

    zone: Mapped[Zone] = mapped_column(
        "tile_zone", value_enum(Zone, "conformance_zone"), primary_key=True
    )
    number: Mapped[int] = mapped_column("tile_no", primary_key=True)
    zones: Mapped[list[Zone]] = mapped_column(
        ARRAY(value_enum(Zone, "conformance_zone")), default=list
    )
    pieces: Mapped[list["Piece"]] = relationship(
        back_populates="tile", order_by="Piece.from_", passive_deletes=True
    )


class Piece(Model):
    """Attributes named like Python keywords and Pydantic methods; a composite foreign key."""

    __tablename__ = "conformance_pieces"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tile_zone", "tile_no"],
            ["conformance_tiles.tile_zone", "conformance_tiles.tile_no"],
            ondelete="CASCADE",
        ),
        Index(None, "tile_zone", "tile_no"),
        unique_when_not_deleted("class"),
    )

    from_: Mapped[int] = mapped_column("from", default=0)
    class_: Mapped[str] = mapped_column("class")
    copy: Mapped[str] = mapped_column(default="c")
    json: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    schema: Mapped[str] = mapped_column(default="s")
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata", JSONB, default=dict)
    dict: Mapped[str] = mapped_column(default="d")
    key: Mapped[str] = mapped_column(default="k")
    value_key: Mapped[str] = mapped_column(default="v")
    row: Mapped[str] = mapped_column(default="r")
    tile_zone: Mapped[Zone | None] = mapped_column(value_enum(Zone, "conformance_zone"))
    tile_no: Mapped[int | None]

    tile: Mapped[Tile | None] = relationship(back_populates="pieces")


follows = Table(
    "conformance_follows",
    Base.metadata,
    Column("follower_id", ForeignKey("conformance_fans.id", ondelete="CASCADE"), primary_key=True),
    Column(
        "followed_id",
        ForeignKey("conformance_fans.id", ondelete="CASCADE"),
        primary_key=True,
        index=True,
    ),
)


class Fan(Model):
    """A self-referential many-to-many relationship."""

    __tablename__ = "conformance_fans"

    name: Mapped[str]
    score: Mapped[int] = mapped_column(default=0)
    rank: Mapped[Decimal] = mapped_column(Numeric(12, 2), Computed("score / 3.0"))
    notes: Mapped[str | None] = mapped_column(deferred=True, deferred_raiseload=True)

    following: Mapped[list["Fan"]] = relationship(
        secondary=follows,
        primaryjoin="Fan.id == conformance_follows.c.follower_id",
        secondaryjoin="Fan.id == conformance_follows.c.followed_id",
        back_populates="followers",
        order_by="Fan.name.desc()",
    )
    followers: Mapped[list["Fan"]] = relationship(
        secondary=follows,
        primaryjoin="Fan.id == conformance_follows.c.followed_id",
        secondaryjoin="Fan.id == conformance_follows.c.follower_id",
        back_populates="following",
        order_by="Fan.name",
    )
    tickets: Mapped[list["Ticket"]] = relationship(
        back_populates="fan",
        cascade="all, delete-orphan",
        passive_deletes=True,
        order_by="Ticket.seat",
    )


class Show(Model):
    """A model in another schema, with a datetime version column."""

    __tablename__ = "conformance shows"

    title: Mapped[str]
    version: Mapped[datetime] = mapped_column("seen at")
    fan_id: Mapped[Id | None] = mapped_column(
        ForeignKey("conformance_fans.id", ondelete="SET NULL"), index=True
    )
    tickets: Mapped[list["Ticket"]] = relationship(
        back_populates="show", cascade="all, delete-orphan", passive_deletes=True
    )
    host: Mapped[Fan | None] = relationship()

    __table_args__ = (UniqueConstraint("title"), {"schema": SCHEMA})
    __mapper_args__ = {  # noqa: RUF012 - SQLAlchemy's syntax
        "version_id_col": version,
        "version_id_generator": lambda _: datetime.now(UTC),
    }


class Ticket(Model):
    """An association object with additional columns."""

    __tablename__ = "conformance_tickets"
    __table_args__ = (unique_when_not_deleted("fan_id", "show_id"),)

    fan_id: Mapped[Id] = mapped_column(
        ForeignKey("conformance_fans.id", ondelete="CASCADE"), index=True
    )
    show_id: Mapped[Id] = mapped_column(
        ForeignKey(f"{SCHEMA}.conformance shows.id", ondelete="CASCADE"), index=True
    )
    seat: Mapped[str] = mapped_column(String(5))
    lasts: Mapped[timedelta] = mapped_column(default=timedelta(hours=2))
    fan: Mapped[Fan] = relationship(back_populates="tickets")
    show: Mapped[Show] = relationship(back_populates="tickets")


Fan.ticket_count = column_property(
    select(func.count(Ticket.id))
    .where(Ticket.fan_id == Fan.id)
    .correlate_except(Ticket)
    .scalar_subquery()
)


class Device(Model):
    """The base of a single-table inheritance, with unusual column types."""

    __tablename__ = "conformance_devices"
    __mapper_args__ = {"polymorphic_on": "json", "polymorphic_identity": "device"}  # noqa: RUF012 - SQLAlchemy's syntax

    json: Mapped[str] = mapped_column("schema")
    address: Mapped[IPv4Interface | None] = mapped_column(INET)
    ports: Mapped[Range[int] | None] = mapped_column(INT4RANGE)
    raw: Mapped[bytes | None] = mapped_column(LargeBinary)
    terms: Mapped[str | None] = mapped_column(TSVECTOR, Computed("to_tsvector('simple', label)"))
    label: Mapped[str] = mapped_column(default="")


class Router(Device):
    """A subclass of a single-table inheritance, with a JSONB column."""

    __mapper_args__ = {"polymorphic_identity": "router"}  # noqa: RUF012 - SQLAlchemy's syntax

    routes: Mapped[dict[str, Any] | None] = mapped_column("metadata", JSONB)


class Asset(Model):
    """The base of a joined-table inheritance, with a generated version."""

    __tablename__ = "conformance_assets"

    type: Mapped[str] = mapped_column("class")
    name: Mapped[str]
    __mapper_args__ = {"polymorphic_on": "type", "polymorphic_identity": "asset"}  # noqa: RUF012 - SQLAlchemy's syntax


class Machine(Asset):
    """A subclass with two tables."""

    __tablename__ = "conformance_machines"
    __mapper_args__ = {"polymorphic_identity": "machine"}  # noqa: RUF012 - SQLAlchemy's syntax

    id: Mapped[Id] = mapped_column(
        "asset_id", ForeignKey("conformance_assets.id", ondelete="CASCADE"), primary_key=True
    )
    power: Mapped[int] = mapped_column(Integer, default=1)


class Robot(Machine):
    """A subclass with three tables."""

    __tablename__ = "conformance_robots"
    __mapper_args__ = {"polymorphic_identity": "robot"}  # noqa: RUF012 - SQLAlchemy's syntax

    id: Mapped[Id] = mapped_column(
        "machine_id",
        ForeignKey("conformance_machines.asset_id", ondelete="CASCADE"),
        primary_key=True,
    )
    arms: Mapped[int] = mapped_column("from", default=2)


class Reservation(Base):
    """A row whose range must not overlap that of another row."""

    __tablename__ = "conformance_reservations"
    __table_args__ = (ExcludeConstraint(("range", "&&"), name="ex_conformance_reservations"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    seats: Mapped[Range[int]] = mapped_column("range", INT4RANGE)
