"""What the API takes and gives for orders."""

from datetime import datetime

from pydantic import Field

from app.example.orders.models import MAX_QUANTITY, OrderStatus
from app.kit.db.ids import Id
from app.kit.page import PageQuery
from app.kit.schemas import Input, Output


class LineCreate(Input):
    """How much of a product to order."""

    product_id: Id
    quantity: int = Field(ge=1, le=MAX_QUANTITY)


class OrderCreate(Input):
    """A new order; each product is in one line of it."""

    user_id: Id
    lines: list[LineCreate] = Field(min_length=1, max_length=100)


class OrderQuery(PageQuery):
    """Which orders to list."""

    user_id: Id | None = None
    status: OrderStatus | None = None


class Dispatch(Input):
    """How many orders to dispatch."""

    limit: int = Field(10, ge=1, le=100)


class LineOut(Output):
    """What was sold: the product may have changed since, or be gone."""

    product_id: Id
    sku: str
    name: str
    quantity: int
    unit_price_cents: int


class OrderOut(Output):
    """An order with its lines."""

    id: Id
    user_id: Id
    status: OrderStatus
    total_cents: int
    lines: list[LineOut]
    created_at: datetime
    updated_at: datetime
