"""Statistics of orders."""

from sqlalchemy import BigInteger, Numeric, cast, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.example.orders.models import Order, OrderLine, OrderStatus
from app.kit.db.session import Database
from app.kit.http.schemas import ResponseModel
from app.kit.queries.concurrent_reads import concurrent_reads

# As numeric: the product of two 32-bit integers overflows.
_line_total = cast(OrderLine.quantity, Numeric) * OrderLine.unit_price_cents


class BestSeller(ResponseModel):
    """A product, with the number of units sold."""

    sku: str
    quantity: int


class OrderOverview(ResponseModel):
    """Statistics of all orders."""

    orders: dict[OrderStatus, int]
    revenue_cents: int
    best_sellers: list[BestSeller]


async def overview(database: Database) -> OrderOverview:
    """Return statistics of all orders. Three transactions read them concurrently."""
    async with concurrent_reads(database) as reads:
        orders = reads.start(_by_status)
        revenue = reads.start(_revenue)
        sellers = reads.start(_best_sellers)
    return OrderOverview(
        orders=orders.result(), revenue_cents=revenue.result(), best_sellers=sellers.result()
    )


async def _by_status(session: AsyncSession) -> dict[OrderStatus, int]:
    counts = select(Order.status, func.count()).group_by(Order.status)
    return dict.fromkeys(OrderStatus, 0) | dict((await session.execute(counts)).all())


async def _revenue(session: AsyncSession) -> int:
    total = select(func.sum(_line_total)).join(Order.lines)
    sold = total.where(Order.status != OrderStatus.CANCELLED)
    return int(await session.scalar(sold) or 0)


async def _best_sellers(session: AsyncSession) -> list[BestSeller]:
    # Grouped by product: its SKU may change, and another product may then use the old one.
    sku = func.max(OrderLine.sku).label("sku")
    quantity = cast(func.sum(OrderLine.quantity), BigInteger).label("quantity")
    sold = (
        select(sku, quantity)
        .join(OrderLine.order)
        .where(Order.status != OrderStatus.CANCELLED)
        .group_by(OrderLine.product_id)
        .order_by(quantity.desc(), sku, OrderLine.product_id)
        .limit(5)
    )
    return [BestSeller.model_validate(row) for row in await session.execute(sold)]
