"""Endpoints for orders."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Response, status

from app.example.idempotency.service import OncePerKey
from app.example.orders import service
from app.example.orders.models import Order
from app.example.orders.overview import OrderOverview, overview
from app.example.orders.repository import ORDERS, matching
from app.example.orders.schemas import Dispatch, OrderCreate, OrderOut, OrderQuery
from app.kit.db.ids import Id
from app.kit.db.retry import retrying
from app.kit.db.session import DatabaseDep, SessionDep
from app.kit.errors import problems
from app.kit.page import Page, Slice

router = APIRouter(prefix="/orders", tags=["orders"])


@router.post(
    "", status_code=status.HTTP_201_CREATED, response_model=OrderOut, responses=problems(409)
)
async def place_order(new: OrderCreate, once: OncePerKey) -> Response:
    """Place an order at current prices. It fails if any product is not available."""
    return await once.do(partial(service.place_order, new))


@router.get("", response_model=Page[OrderOut])
async def list_orders(query: Annotated[OrderQuery, Query()], db: DatabaseDep) -> Slice[OrderOut]:
    """List orders with their lines, newest first."""
    return await ORDERS.page(db, query, matching(query))


# Static paths go before `/{order_id}`, which would match them.
@router.get("/overview", response_model=OrderOverview)
async def read_overview(db: DatabaseDep) -> OrderOverview:
    """Return statistics of all orders."""
    return await overview(db)


@router.post("/dispatch", response_model=list[OrderOut])
async def dispatch_orders(dispatch: Dispatch, session: SessionDep) -> list[Order]:
    """Dispatch the oldest waiting orders. Concurrent requests dispatch different orders."""
    return await service.dispatch_orders(dispatch.limit, session)


@router.get("/{order_id}", response_model=OrderOut, responses=problems(404))
async def read_order(order_id: Id, db: DatabaseDep) -> OrderOut:
    """Return an order with its lines."""
    return await ORDERS.get(db, order_id)


@router.post("/{order_id}/cancel", response_model=OrderOut, responses=problems(404, 409))
async def cancel_order(order_id: Id, db: DatabaseDep) -> Order:
    """Cancel an order and return its products to the stock."""
    return await retrying(db, partial(service.cancel_order, order_id))
