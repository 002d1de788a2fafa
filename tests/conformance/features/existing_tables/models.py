"""Tables as an existing database has them: natural keys, own sequences, domains, limited arrays."""

from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Numeric, Sequence, String
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
