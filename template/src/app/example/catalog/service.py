"""Business logic for products and their stock."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.example.catalog.models import Category, Product, ProductStatus
from app.example.catalog.repository import PRODUCTS, CategoryRepository, ProductRepository
from app.example.catalog.schemas import ProductChanges, ProductCreate, ProductOut, StockTransfer
from app.kit.db.base import any_of
from app.kit.db.ids import Id
from app.kit.errors.problems import FieldProblem, Invalid
from app.kit.writes.bulk import delete_in_batches, update_in_batches
from app.kit.writes.request_checks import check_references

# The models that the fields of a request refer to.
REFERENCES = {"category_id": Category}


async def create_product(new: ProductCreate, session: AsyncSession) -> ProductOut:
    """Create a product. Raises `Invalid` if its category does not exist."""
    await check_references(session, new, REFERENCES)
    return await PRODUCTS.insert(session, new)


async def update_product(
    product: Product, changes: ProductChanges, session: AsyncSession
) -> Product:
    """Update a product. Raises `Invalid` if the new category does not exist."""
    await check_references(session, changes, REFERENCES)
    await ProductRepository(session).update(product, changes.sent())
    if "category_id" in changes.model_fields_set:
        await session.refresh(product, ["category"])
    return product


async def discontinue_category(category_id: Id, session: AsyncSession) -> int:
    """Discontinue all products of a category. Return the number of updated products."""
    category = await CategoryRepository(session).get(category_id)
    return await update_in_batches(
        session,
        Product,
        Product.category_id == category.id,
        Product.status != ProductStatus.DISCONTINUED,
        values={"status": ProductStatus.DISCONTINUED},
    )


async def delete_discontinued(before: datetime, session: AsyncSession) -> int:
    """Delete the discontinued products not updated since `before`. Return their number."""
    return await delete_in_batches(
        session,
        Product,
        Product.status == ProductStatus.DISCONTINUED,
        Product.updated_at < before,
    )


@dataclass(frozen=True, slots=True)
class ProductPair:
    """The products of a stock transfer."""

    source: Product
    target: Product


async def transfer_stock(transfer: StockTransfer, session: AsyncSession) -> ProductPair:
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
    pair = ProductPair(
        source=products[transfer.from_product_id], target=products[transfer.to_product_id]
    )
    pair.source.reserve(transfer.quantity)
    pair.target.restock(transfer.quantity)
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
