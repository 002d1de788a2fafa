"""Request and response bodies for orders."""

from datetime import datetime

from pydantic import Field

from app.example.orders.models import MAX_QUANTITY, OrderStatus
from app.kit.db.ids import Id
from app.kit.http.schemas import RequestModel, ResponseModel
from app.kit.queries.pagination import PageQuery


class LineCreate(RequestModel):
    """A product to order, with its quantity."""

    product_id: Id
    quantity: int = Field(ge=1, le=MAX_QUANTITY)


class OrderCreate(RequestModel):
    """A new order. Each product may be in one line only."""

    user_id: Id
    lines: list[LineCreate] = Field(min_length=1, max_length=100)


class OrderQuery(PageQuery):
    """Query parameters of the list of orders."""

    user_id: Id | None = None
    status: OrderStatus | None = None


class Dispatch(RequestModel):
    """Maximum number of orders to dispatch."""

    limit: int = Field(10, ge=1, le=100)


class LineOut(ResponseModel):
    """A line of an order. SKU, name and price are from the time of the order."""

    product_id: Id
    sku: str
    name: str
    quantity: int
    unit_price_cents: int


class OrderOut(ResponseModel):
    """An order with its lines."""

    id: Id
    user_id: Id
    status: OrderStatus
    total_cents: int
    lines: list[LineOut]
    created_at: datetime
    updated_at: datetime
