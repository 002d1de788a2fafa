"""Orders and their lines."""

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

from app.kit.db.base import Base, TimestampedModel, value_enum
from app.kit.db.ids import Id
from app.kit.db.relationships import relationship
from app.kit.errors.problems import Conflict

# So that a total stays exact in JavaScript: 100 lines at the highest price are 10**15 cents, and
# its integers are exact up to 2**53.
MAX_QUANTITY = 10_000


class AlreadyProcessed(Conflict):
    """The order is already dispatched or cancelled."""


class OrderStatus(StrEnum):
    """Status of an order."""

    PLACED = "placed"
    DISPATCHED = "dispatched"
    CANCELLED = "cancelled"


class Order(TimestampedModel):
    """An order of a user. Orders are cancelled, never deleted.

    There is no relationship to the user: it would not load a soft-deleted user.
    """

    __tablename__ = "orders"
    __table_args__ = (
        # All orders, newest first.
        Index(None, "created_at", "id"),
        # The orders of a user, newest first. Also indexes the foreign key.
        Index(None, "user_id", "created_at", "id"),
        # A partial index, because few orders are waiting for dispatch.
        Index("ix_orders_waiting", "created_at", "id", postgresql_where=text("status = 'placed'")),
    )

    user_id: Mapped[Id] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"))
    status: Mapped[OrderStatus] = mapped_column(
        value_enum(OrderStatus, "order_status"),
        default=OrderStatus.PLACED,
        server_default=OrderStatus.PLACED,
    )

    lines: Mapped[list["OrderLine"]] = relationship(
        back_populates="order",
        order_by="OrderLine.product_id",
        cascade="all, delete-orphan",
        passive_deletes=True,
    )

    @hybrid_property
    def total_cents(self) -> int:
        """Return the total price. The lines of the order must be loaded."""
        return sum(line.quantity * line.unit_price_cents for line in self.lines)

    @total_cents.inplace.expression
    @classmethod
    def _total_cents(cls) -> ColumnElement[int]:
        # The SQL expression for views. The sum may exceed 32 bits.
        line_total = cast(OrderLine.quantity, BigInteger) * OrderLine.unit_price_cents
        total = select(cast(func.coalesce(func.sum(line_total), 0), BigInteger))
        total = total.where(OrderLine.order_id == cls.id).correlate_except(OrderLine)
        return total.scalar_subquery()

    def dispatch(self) -> None:
        """Dispatch the order, or raise `AlreadyProcessed`. The row must be locked."""
        self._set_status(OrderStatus.DISPATCHED)

    def cancel(self) -> None:
        """Cancel the order, or raise `AlreadyProcessed`. The row must be locked."""
        self._set_status(OrderStatus.CANCELLED)

    def _set_status(self, status: OrderStatus) -> None:
        if self.status is not OrderStatus.PLACED:
            raise AlreadyProcessed(f"The order is already {self.status.value}.")
        self.status = status


class OrderLine(Base):
    """A line of an order: an association object of an order and a product.

    There is no relationship to the product: its SKU, name and price may change later, and it would
    not load a soft-deleted product. The line stores their values at the time of the order.
    """

    __tablename__ = "order_lines"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="quantity_is_positive"),
        CheckConstraint("unit_price_cents >= 0", name="unit_price_is_not_negative"),
    )

    # The primary key serves queries by order, the index serves queries by product.
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

    order: Mapped[Order] = relationship(back_populates="lines")
