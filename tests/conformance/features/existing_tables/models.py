"""Tables as an existing database has them: natural keys, own sequences, domains, limited arrays."""

from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Identity,
    Integer,
    Numeric,
    Sequence,
    String,
    UniqueConstraint,
    func,
)
from sqlalchemy.dialects.postgresql import ARRAY, BIT, DOMAIN, BitString
from sqlalchemy.orm import Mapped, mapped_column

from app.kit.db.base import Base, TimestampedModel
from app.kit.db.relationships import relationship

AMOUNT = DOMAIN("conformance_amount", Numeric(), check="VALUE > 0")
NUMBERS = Sequence("conformance_stock_numbers", start=5000, metadata=Base.metadata)
TICKETS = Sequence("conformance_ticket_numbers", start=700, metadata=Base.metadata)


class Shelf(Base):
    """A model with a text as primary key."""

    __tablename__ = "conformance_shelves"

    code: Mapped[str] = mapped_column(primary_key=True)
    items: Mapped[list["StockItem"]] = relationship(order_by="StockItem.sku")


class StockItem(Base):
    """A model with a sequence, a domain, and arrays and bits of limited length."""

    __tablename__ = "conformance_stock_items"

    sku: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(
        BigInteger, NUMBERS, server_default=NUMBERS.next_value(), unique=True
    )
    shelf_code: Mapped[str | None] = mapped_column(
        ForeignKey("conformance_shelves.code"), index=True
    )
    price: Mapped[Decimal] = mapped_column(AMOUNT)
    codes: Mapped[list[str] | None] = mapped_column(ARRAY(String(3)))
    flags: Mapped[BitString | None] = mapped_column(BIT(4))


class SignedDesk(TimestampedModel):
    """A model whose primary key has its own sequence."""

    __tablename__ = "conformance_desks"

    id: Mapped[Any] = mapped_column(BigInteger, TICKETS, primary_key=True)
    name: Mapped[str]


class Slot(Base):
    """A composite primary key, of which PostgreSQL generates one part and Python another."""

    __tablename__ = "conformance_slots"

    aisle: Mapped[str] = mapped_column("aisle_code", primary_key=True)
    number: Mapped[int] = mapped_column("slot_no", Integer, Identity(), primary_key=True)
    batch: Mapped[UUID] = mapped_column("batch_key", default=uuid4, primary_key=True)
    label: Mapped[str] = mapped_column("slot_label", default="")


class Voucher(Base):
    """A primary key that only PostgreSQL generates, by a function."""

    __tablename__ = "conformance_vouchers"

    code: Mapped[UUID] = mapped_column(
        "voucher_code", primary_key=True, server_default=func.gen_random_uuid()
    )
    name: Mapped[str]


class Tool(Base):
    """The base of a joined-table inheritance, whose primary key is not named `id`."""

    __tablename__ = "conformance_tools"
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "tool"}  # noqa: RUF012 - SQLAlchemy's syntax

    number: Mapped[int] = mapped_column("tool_no", Integer, Identity(), primary_key=True)
    kind: Mapped[str]
    name: Mapped[str]


class Drill(Tool):
    """A subclass with two tables."""

    __tablename__ = "conformance_drills"
    __mapper_args__ = {"polymorphic_identity": "drill"}  # noqa: RUF012 - SQLAlchemy's syntax

    number: Mapped[int] = mapped_column(
        "drill_no", ForeignKey("conformance_tools.tool_no", ondelete="CASCADE"), primary_key=True
    )
    watts: Mapped[int]


class Lane(Base):
    """A rank that a transaction can swap, because its constraint is checked at the commit."""

    __tablename__ = "conformance_lanes"
    __table_args__ = (
        UniqueConstraint("lane_rank", deferrable=True, initially="DEFERRED", name="lane_ranks"),
    )

    name: Mapped[str] = mapped_column(primary_key=True)
    rank: Mapped[int] = mapped_column("lane_rank")
