"""Finding and keeping orders."""

from typing import Annotated

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from app.example.orders.models import Order, OrderStatus
from app.example.orders.schemas import OrderQuery
from app.kit.db.plan import plan
from app.kit.db.repository import Repository, provided
from app.kit.db.sorting import order
from app.kit.page import Slice

# What `OrderOut` shows.
ORDER_OUT = plan(selectinload(Order.lines))

NEWEST = order(Order.id, Order.created_at.desc())
OLDEST = order(Order.id, Order.created_at.asc())


class OrderRepository(Repository[Order]):
    """The orders of the service."""

    model = Order

    async def search(self, query: OrderQuery) -> Slice[Order]:
        """One page of the orders that match, with lines, the newest first, and how many match."""
        statement = select(Order).order_by(*NEWEST.clauses)
        if query.user_id is not None:
            statement = statement.where(Order.user_id == query.user_id)
        if query.status is not None:
            statement = statement.where(Order.status == query.status)
        return await self.page(query, statement, *ORDER_OUT)

    async def claim_waiting(self, limit: int) -> list[Order]:
        """The orders that have waited longest, with lines, apart from those that others claimed."""
        waiting = select(Order).where(Order.status == OrderStatus.PLACED)
        return await self.claim(waiting.order_by(*OLDEST.clauses), limit, *ORDER_OUT)


Orders = Annotated[OrderRepository, provided(OrderRepository)]
OrdersToRead = Annotated[OrderRepository, provided(OrderRepository, read_only=True)]
