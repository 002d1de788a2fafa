"""What is left of products, and where it goes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.example.catalog.models import MAX_STOCK, Product
from app.example.catalog.repository import ProductRepository
from app.kit.db.bulk import among
from app.kit.db.ids import Id
from app.kit.errors import FieldProblem, Invalid
from app.kit.schemas import Input, Output


class StockTransfer(Input):
    """Stock that turns out to be of another product."""

    from_product_id: Id
    to_product_id: Id
    quantity: int = Field(ge=1, le=MAX_STOCK)


class StockOut(Output):
    """What is left of a product."""

    id: Id
    sku: str
    stock: int


class Transferred(Output):
    """What is left of the two products of a transfer."""

    giver: StockOut
    taker: StockOut


@dataclass(frozen=True, slots=True)
class Pair:
    """The two products of a transfer."""

    giver: Product
    taker: Product


async def transfer_stock(transfer: StockTransfer, session: AsyncSession) -> Pair:
    """Move stock from one product to another."""
    wanted = {"from_product_id": transfer.from_product_id, "to_product_id": transfer.to_product_id}
    # Both are locked in the order of their keys, whichever of them gives.
    locked = await ProductRepository(session).lock_many(wanted.values())
    products = {product.id: product for product in locked}
    if problems := [
        FieldProblem(field=f"body.{field}", message="there is no such product")
        for field, key in wanted.items()
        if key not in products
    ]:
        raise Invalid("A transfer needs two products.", *problems)
    if len(products) == 1:
        problem = FieldProblem(field="body.to_product_id", message="is the same product")
        raise Invalid("A transfer needs two products.", problem)
    pair = Pair(*(products[key] for key in wanted.values()))
    pair.giver.reserve(transfer.quantity)
    pair.taker.restock(transfer.quantity)
    await session.flush()
    return pair


async def return_stock(quantities: Mapping[Id, int], session: AsyncSession) -> None:
    """Add to the stock of products, also of those that are no longer in the catalog."""
    # The rows of the table itself, locked in the order of their keys: what was sold comes back
    # to its product whatever has become of that, for the count to be right should it return.
    table: Any = Product.__table__
    rows = select(table).where(among(table.c.id, quantities)).order_by(table.c.id)
    every = select(Product).from_statement(rows.with_for_update(key_share=True))
    for product in await session.scalars(every.execution_options(populate_existing=True)):
        product.restock(quantities[product.id])
    await session.flush()
