"""Transfers and returns of stock."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.example.catalog.models import MAX_STOCK, Product
from app.example.catalog.repository import ProductRepository
from app.kit.db.base import any_of
from app.kit.db.ids import Id
from app.kit.errors.problems import FieldProblem, Invalid
from app.kit.http.schemas import RequestModel, ResponseModel


class StockTransfer(RequestModel):
    """A quantity to move from the stock of one product to another."""

    from_product_id: Id
    to_product_id: Id
    quantity: int = Field(ge=1, le=MAX_STOCK)


class StockOut(ResponseModel):
    """The stock of a product."""

    id: Id
    sku: str
    stock: int


class Transferred(ResponseModel):
    """The stock of both products after a transfer."""

    giver: StockOut
    taker: StockOut


@dataclass(frozen=True, slots=True)
class Pair:
    """The products of a stock transfer."""

    giver: Product
    taker: Product


async def transfer_stock(transfer: StockTransfer, session: AsyncSession) -> Pair:
    """Move stock from one product to another."""
    wanted = {"from_product_id": transfer.from_product_id, "to_product_id": transfer.to_product_id}
    # Locked in the order of their ids, so that opposite transfers cannot deadlock.
    locked = await ProductRepository(session).lock_many(wanted.values())
    products = {product.id: product for product in locked}
    if problems := [
        FieldProblem(field=f"body.{field}", message="product not found")
        for field, key in wanted.items()
        if key not in products
    ]:
        raise Invalid("A transfer needs two products.", *problems)
    if len(products) == 1:
        problem = FieldProblem(field="body.to_product_id", message="must be another product")
        raise Invalid("A transfer needs two products.", problem)
    pair = Pair(*(products[key] for key in wanted.values()))
    pair.giver.reserve(transfer.quantity)
    pair.taker.restock(transfer.quantity)
    await session.flush()
    return pair


async def return_stock(quantities: Mapping[Id, int], session: AsyncSession) -> None:
    """Increase the stock of products, including deleted ones."""
    # Select from the table, because the model may exclude deleted products: their stock must stay
    # correct too. Rows are locked in the order of their ids to prevent deadlocks.
    table: Any = Product.__table__
    rows = select(table).where(any_of(table.c.id, quantities)).order_by(table.c.id)
    statement = select(Product).from_statement(rows.with_for_update(key_share=True))
    for product in await session.scalars(statement.execution_options(populate_existing=True)):
        product.restock(quantities[product.id])
    await session.flush()
