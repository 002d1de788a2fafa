"""Queries for orders."""

from sqlalchemy import Select, literal_column, select
from sqlalchemy.orm import selectinload

from app.example.orders.models import Order
from app.example.orders.schemas import OrderOut, OrderQuery
from app.kit.queries.repository import Repository, load_options
from app.kit.queries.sorting import order_by
from app.kit.queries.view import View

ORDERS = View(OrderOut, Order)
# Load options for an order that is updated and then returned as `OrderOut`.
ORDER_OUT = load_options(selectinload(Order.lines))

NEWEST = order_by(Order.created_at.desc(), tiebreaker=Order.id)
OLDEST = order_by(Order.created_at.asc(), tiebreaker=Order.id)


class OrderRepository(Repository[Order]):
    """Repository of orders."""

    model = Order

    async def claim_waiting(self, limit: int) -> list[Order]:
        """Lock and return the oldest orders to dispatch. Skip those that are already locked."""
        # A literal, as in the partial index: a generic plan for a parameter cannot use the index.
        waiting = select(Order).where(Order.status == literal_column("'placed'"))
        return await self.claim(waiting.order_by(*OLDEST.clauses), limit, *ORDER_OUT)


def matching(query: OrderQuery) -> Select[Order]:
    """Return a SELECT of the orders that match the filters, newest first."""
    statement = ORDERS.select().order_by(*NEWEST.clauses)
    if query.user_id is not None:
        statement = statement.where(Order.user_id == query.user_id)
    if query.status is not None:
        statement = statement.where(Order.status == query.status)
    return statement
