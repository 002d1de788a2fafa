"""Orders: what a user bought, at which price."""

from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    String,
    cast,
    func,
    select,
    text,
)
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column

from app.kit.db.base import Base, Record
from app.kit.db.enums import stored_by_value
from app.kit.db.ids import Id
from app.kit.db.relation import relation
from app.kit.errors import Conflict

# A hundred lines of this quantity, at the highest price, are still a whole number in JSON.
MAX_QUANTITY = 10_000


class NotWaiting(Conflict):
    """The order was dispatched or cancelled before."""


class OrderStatus(StrEnum):
    """Where an order is in its life."""

    PLACED = "placed"
    DISPATCHED = "dispatched"
    CANCELLED = "cancelled"


class Order(Record):
    """What a user bought at one time. It is a record of what happened: cancelled, never deleted.

    There is no relation to the user, who may be deleted when the order is read.
    """

    __tablename__ = "orders"
    __table_args__ = (
        # The orders of a user, the newest first; it serves the foreign key as well.
        Index(None, "user_id", "created_at", "id"),
        # Few wait to be dispatched at any time: the index holds just those.
        Index("ix_orders_waiting", "created_at", "id", postgresql_where=text("status = 'placed'")),
    )

    user_id: Mapped[Id] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"))
    status: Mapped[OrderStatus] = mapped_column(
        stored_by_value(OrderStatus, "order_status"),
        default=OrderStatus.PLACED,
        server_default=OrderStatus.PLACED,
    )

    lines: Mapped[list["OrderLine"]] = relation(
        back_populates="order",
        order_by="OrderLine.product_id",
        cascade="all, delete-orphan",
        passive_deletes=True,
    )

    @hybrid_property
    def total_cents(self) -> int:
        """The price of the order; of an entity, its lines must be loaded."""
        return sum(line.quantity * line.unit_price_cents for line in self.lines)

    @total_cents.inplace.expression
    @classmethod
    def _total_cents(cls) -> ColumnElement[int]:
        # What a view selects: a sum of lines, which may not fit in the 32 bits of a price.
        price = cast(OrderLine.quantity, BigInteger) * OrderLine.unit_price_cents
        total = select(cast(func.coalesce(func.sum(price), 0), BigInteger))
        lines = total.where(OrderLine.order_id == cls.id).correlate_except(OrderLine)
        return lines.scalar_subquery()

    def dispatch(self) -> None:
        """Send it off, or raise `NotWaiting`. The row must be locked."""
        self._leave(OrderStatus.DISPATCHED)

    def cancel(self) -> None:
        """Call it off, or raise `NotWaiting`. The row must be locked."""
        self._leave(OrderStatus.CANCELLED)

    def _leave(self, status: OrderStatus) -> None:
        if self.status is not OrderStatus.PLACED:
            raise NotWaiting(f"The order is {self.status.value} already.")
        self.status = status


class OrderLine(Base):
    """How much of a product an order has: a link between the two that says more than that it is.

    There is no relation to the product, which may be changed, or deleted, when the order is read.
    The line records what was sold, under the name and at the price of that day.
    """

    __tablename__ = "order_lines"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="quantity_is_positive"),
        CheckConstraint("unit_price_cents >= 0", name="unit_price_is_not_negative"),
    )

    # The primary key finds the lines of an order; the index finds the orders of a product.
    order_id: Mapped[Id] = mapped_column(
        ForeignKey("orders.id", ondelete="CASCADE"), primary_key=True
    )
    product_id: Mapped[Id] = mapped_column(
        ForeignKey("products.id", ondelete="RESTRICT"), primary_key=True, index=True
    )
    sku: Mapped[str] = mapped_column(String(40))
    name: Mapped[str] = mapped_column(String(200))
    quantity: Mapped[int] = mapped_column(Integer)
    unit_price_cents: Mapped[int] = mapped_column(Integer)

    order: Mapped[Order] = relation(back_populates="lines")
