"""What is sold: products, each in one category."""

from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.kit.db.base import Record
from app.kit.db.deletion import Entity, unique_live
from app.kit.db.enums import stored_by_value
from app.kit.db.ids import Id
from app.kit.db.relation import relation
from app.kit.errors import Conflict

# Both well within the 32 bits of their columns; sums of prices need 64.
MAX_PRICE_CENTS = 1_000_000_000
MAX_STOCK = 1_000_000_000


class OutOfStock(Conflict):
    """There is less of a product than was asked for."""


class StockFull(Conflict):
    """There is no room for so much of a product."""


class ProductStatus(StrEnum):
    """Where a product is in its life."""

    DRAFT = "draft"
    ACTIVE = "active"
    DISCONTINUED = "discontinued"


class Category(Record):
    """A shelf of the catalog. It cannot be deleted while a product stands on it."""

    __tablename__ = "categories"

    name: Mapped[str] = mapped_column(String(200), unique=True)
    slug: Mapped[str] = mapped_column(String(100), unique=True)


class Product(Entity):
    """Something that is sold, with what is left of it."""

    __tablename__ = "products"

    category_id: Mapped[Id] = mapped_column(ForeignKey("categories.id", ondelete="RESTRICT"))
    sku: Mapped[str] = mapped_column(String(40))
    slug: Mapped[str] = mapped_column(String(100))
    name: Mapped[str] = mapped_column(String(200))
    status: Mapped[ProductStatus] = mapped_column(
        stored_by_value(ProductStatus, "product_status"),
        default=ProductStatus.DRAFT,
        server_default=ProductStatus.DRAFT,
    )
    # An amount of money is a whole number of its smallest unit: a float cannot hold 0.10.
    price_cents: Mapped[int] = mapped_column(Integer)
    stock: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    # Counts the changes; one made to a state that is no longer current fails.
    version: Mapped[int] = mapped_column(Integer, default=1, server_default="1")

    # One-sided: the products of a category are read as pages, never as a whole.
    category: Mapped[Category] = relation()

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - as SQLAlchemy declares it
    __table_args__ = (
        unique_live("sku"),
        unique_live("slug"),
        # The products of a category, by price; it serves the foreign key as well.
        Index(None, "category_id", "price_cents", "id"),
        # Few are sold out at any time: the index holds just those.
        Index("ix_products_sold_out", "id", postgresql_where=text("stock = 0")),
        CheckConstraint("price_cents >= 0", name="price_is_not_negative"),
        CheckConstraint("stock >= 0", name="stock_is_not_negative"),
    )

    def reserve(self, quantity: int) -> None:
        """Take from the stock, or raise `OutOfStock`. The row must be locked."""
        _check(quantity)
        if quantity > self.stock:
            raise OutOfStock(f"Of {self.sku} there are {self.stock} left, not {quantity}.")
        self.stock -= quantity

    def restock(self, quantity: int) -> None:
        """Add to the stock, or raise `StockFull`. The row must be locked."""
        _check(quantity)
        if quantity > MAX_STOCK - self.stock:
            raise StockFull(f"Of {self.sku} there can be no more than {MAX_STOCK}.")
        self.stock += quantity


def _check(quantity: int) -> None:
    if quantity < 1:
        raise ValueError(f"a quantity is at least 1, not {quantity}")
