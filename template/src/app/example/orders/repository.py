"""Finding and keeping orders."""

from sqlalchemy import Select, select
from sqlalchemy.orm import selectinload

from app.example.orders.models import Order, OrderStatus
from app.example.orders.schemas import OrderOut, OrderQuery
from app.kit.db.plan import plan
from app.kit.db.repository import Repository
from app.kit.db.sorting import order
from app.kit.queries.view import View

ORDERS = View(OrderOut, Order)
# The relationships of an order that is loaded to be changed, and then shown as `OrderOut`.
ORDER_OUT = plan(selectinload(Order.lines))

NEWEST = order(Order.id, Order.created_at.desc())
OLDEST = order(Order.id, Order.created_at.asc())


class OrderRepository(Repository[Order]):
    """The orders of the service."""

    model = Order

    async def claim_waiting(self, limit: int) -> list[Order]:
        """The orders that have waited longest, with lines, apart from those that others claimed."""
        waiting = select(Order).where(Order.status == OrderStatus.PLACED)
        return await self.claim(waiting.order_by(*OLDEST.clauses), limit, *ORDER_OUT)


def matching(query: OrderQuery) -> Select[Order]:
    """The orders that match, the newest first."""
    statement = ORDERS.select().order_by(*NEWEST.clauses)
    if query.user_id is not None:
        statement = statement.where(Order.user_id == query.user_id)
    if query.status is not None:
        statement = statement.where(Order.status == query.status)
    return statement
