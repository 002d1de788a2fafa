"""Business logic for orders. Lock order: orders first, then products."""

from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from app.example.catalog.models import Product, ProductStatus
from app.example.catalog.repository import ProductRepository
from app.example.catalog.service import return_stock
from app.example.orders.models import Order, OrderLine
from app.example.orders.repository import ORDER_OUT, OrderRepository
from app.example.orders.schemas import LineCreate, OrderCreate
from app.example.users.models import User
from app.example.users.repository import UserRepository
from app.kit.db.ids import Id
from app.kit.errors.problems import FieldProblem, Invalid


async def place_order(new: OrderCreate, session: AsyncSession) -> Order:
    """Place an order at current prices, and reduce the stock of its products."""
    # No lock: an order stays valid if its user is deleted later. If the row of the user is removed,
    # the foreign key rejects the order.
    if not await UserRepository(session).exists(User.id == new.user_id):
        problem = FieldProblem(field="body.user_id", message="user not found")
        raise Invalid("The user does not exist.", problem)
    quantities = {line.product_id: line.quantity for line in new.lines}
    products = await ProductRepository(session).lock_many(quantities)
    if problems := list(_find_problems(new.lines, {product.id: product for product in products})):
        raise Invalid("These products cannot be ordered.", *problems)
    lines = [_sell(product, quantities[product.id]) for product in products]
    return await OrderRepository(session).add(Order(user_id=new.user_id, lines=lines))


async def cancel_order(order_id: Id, session: AsyncSession) -> Order:
    """Cancel an order and return its products to the stock."""
    # A concurrent cancellation waits for this lock, and then raises `AlreadyProcessed`.
    order = await OrderRepository(session).get(order_id, *ORDER_OUT, for_update=True)
    order.cancel()
    await return_stock({line.product_id: line.quantity for line in order.lines}, session)
    return order


async def dispatch_orders(limit: int, session: AsyncSession) -> list[Order]:
    """Dispatch the oldest waiting orders. Concurrent calls dispatch different orders."""
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


def _find_problems(
    lines: Sequence[LineCreate], products: Mapping[Id, Product]
) -> Iterator[FieldProblem]:
    seen: set[Id] = set()
    for index, line in enumerate(lines):
        field = f"body.lines.{index}.product_id"
        product = products.get(line.product_id)
        if line.product_id in seen:
            yield FieldProblem(field=field, message="already in an earlier line")
        elif product is None:
            yield FieldProblem(field=field, message="product not found")
        elif product.status is not ProductStatus.ACTIVE:
            yield FieldProblem(field=field, message="product is not active")
        seen.add(line.product_id)
