"""What can be done with orders. Who locks an order and products locks them in this sequence."""

from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from app.example.catalog.models import Product, ProductStatus
from app.example.catalog.repository import ProductRepository
from app.example.catalog.stock import return_stock
from app.example.orders.models import Order, OrderLine
from app.example.orders.repository import ORDER_OUT, OrderRepository
from app.example.orders.schemas import LineCreate, OrderCreate
from app.example.users.models import User
from app.example.users.repository import UserRepository
from app.kit.db.ids import Id
from app.kit.errors import FieldProblem, Invalid


async def place_order(new: OrderCreate, session: AsyncSession) -> Order:
    """Take all that is ordered from the stock, at the price of now; or change nothing."""
    if not await UserRepository(session).exists(User.id == new.user_id):
        problem = FieldProblem(field="body.user_id", message="there is no such user")
        raise Invalid("An order needs a customer.", problem)
    wanted = {line.product_id: line.quantity for line in new.lines}
    products = await ProductRepository(session).lock_many(wanted)
    if problems := list(_problems(new.lines, {product.id: product for product in products})):
        raise Invalid("These products cannot be ordered.", *problems)
    lines = [_sell(product, wanted[product.id]) for product in products]
    return await OrderRepository(session).add(Order(user_id=new.user_id, lines=lines))


async def cancel_order(order_id: Id, session: AsyncSession) -> Order:
    """Call an order off and return what it took to the stock."""
    # Whoever cancels it at the same time waits for the lock, and then finds it cancelled.
    order = await OrderRepository(session).get(order_id, *ORDER_OUT, for_update=True)
    order.cancel()
    await return_stock({line.product_id: line.quantity for line in order.lines}, session)
    return order


async def dispatch_orders(limit: int, session: AsyncSession) -> list[Order]:
    """Send off the orders that have waited longest, each of them once, whoever else is at it."""
    claimed = await OrderRepository(session).claim_waiting(limit)
    for order in claimed:
        order.dispatch()
    await session.flush()
    return claimed


def _sell(product: Product, quantity: int) -> OrderLine:
    product.reserve(quantity)
    return OrderLine(
        product_id=product.id,
        sku=product.sku,
        name=product.name,
        quantity=quantity,
        unit_price_cents=product.price_cents,
    )


def _problems(
    lines: Sequence[LineCreate], products: Mapping[Id, Product]
) -> Iterator[FieldProblem]:
    seen: set[Id] = set()
    for index, line in enumerate(lines):
        field = f"body.lines.{index}.product_id"
        product = products.get(line.product_id)
        if line.product_id in seen:
            yield FieldProblem(field=field, message="is in a line before this one")
        elif product is None:
            yield FieldProblem(field=field, message="there is no such product")
        elif product.status is not ProductStatus.ACTIVE:
            yield FieldProblem(field=field, message="is not for sale")
        seen.add(line.product_id)
