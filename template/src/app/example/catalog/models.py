"""Products and their categories."""

from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.kit.db.base import TimestampedModel, value_enum
from app.kit.db.deletion import Model, unique_when_not_deleted
from app.kit.db.ids import Id
from app.kit.db.relationships import relationship
from app.kit.errors.problems import Conflict

# Both fit into 32-bit columns. A sum of prices needs 64 bits.
MAX_PRICE_CENTS = 1_000_000_000
MAX_STOCK = 1_000_000_000


class OutOfStock(Conflict):
    """The stock of a product is less than the requested quantity."""


class StockFull(Conflict):
    """The stock of a product would exceed `MAX_STOCK`."""


class ProductStatus(StrEnum):
    """Status of a product."""

    DRAFT = "draft"
    ACTIVE = "active"
    DISCONTINUED = "discontinued"


class Category(TimestampedModel):
    """A category of products. It cannot be deleted while it has products."""

    __tablename__ = "categories"

    name: Mapped[str] = mapped_column(String(200), unique=True)
    slug: Mapped[str] = mapped_column(String(100), unique=True)


class Product(Model):
    """A product with its price and stock."""

    __tablename__ = "products"

    category_id: Mapped[Id] = mapped_column(ForeignKey("categories.id", ondelete="RESTRICT"))
    sku: Mapped[str] = mapped_column(String(40))
    slug: Mapped[str] = mapped_column(String(100))
    name: Mapped[str] = mapped_column(String(200))
    status: Mapped[ProductStatus] = mapped_column(
        value_enum(ProductStatus, "product_status"),
        default=ProductStatus.DRAFT,
        server_default=ProductStatus.DRAFT,
    )
    # Money is stored in cents: a float cannot represent 0.10 exactly.
    price_cents: Mapped[int] = mapped_column(Integer)
    stock: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    # Optimistic locking: an update of an outdated version fails.
    version: Mapped[int] = mapped_column(Integer, default=1, server_default="1")

    # Unidirectional: the products of a category are read in pages, never all at once.
    category: Mapped[Category] = relationship()

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - as SQLAlchemy declares it
    __table_args__ = (
        unique_when_not_deleted("sku"),
        unique_when_not_deleted("slug"),
        # One index per sort order. PostgreSQL can scan it in both directions. `id` breaks ties.
        Index(None, "name", "id"),
        Index(None, "created_at", "id"),
        Index(None, "price_cents", "id"),
        # The products of a category by price. Also indexes the foreign key.
        Index(None, "category_id", "price_cents", "id"),
        # A partial index, because few products are sold out.
        Index("ix_products_sold_out", "id", postgresql_where=text("stock = 0")),
        CheckConstraint("price_cents >= 0", name="price_is_not_negative"),
        CheckConstraint("stock >= 0", name="stock_is_not_negative"),
    )

    def reserve(self, quantity: int) -> None:
        """Reduce the stock, or raise `OutOfStock`. The row must be locked."""
        _check_quantity(quantity)
        if quantity > self.stock:
            raise OutOfStock(f"{self.sku}: {quantity} requested, {self.stock} in stock.")
        self.stock -= quantity

    def restock(self, quantity: int) -> None:
        """Increase the stock, or raise `StockFull`. The row must be locked."""
        _check_quantity(quantity)
        if quantity > MAX_STOCK - self.stock:
            raise StockFull(f"{self.sku}: the stock would exceed {MAX_STOCK}.")
        self.stock += quantity


def _check_quantity(quantity: int) -> None:
    if quantity < 1:
        raise ValueError(f"quantity must be at least 1, got {quantity}")
