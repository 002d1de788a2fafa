"""Queries for categories and products."""

from sqlalchemy import Select, literal_column, or_, select
from sqlalchemy.orm import InstrumentedAttribute, joinedload

from app.example.catalog.models import Category, Product
from app.example.catalog.schemas import (
    CategoryOut,
    CategoryQuery,
    ProductCsvRow,
    ProductFilter,
    ProductOut,
    ProductSort,
)
from app.kit.db.session import Database
from app.kit.errors.problems import NotFound
from app.kit.queries.repository import Repository, load_options
from app.kit.queries.sorting import order_by
from app.kit.queries.view import View

CATEGORIES = View(CategoryOut, Category)
PRODUCTS = View(ProductOut, Product)
PRODUCT_CSV_ROWS = View(ProductCsvRow, Product)
# Load options for a product that is updated and then returned as `ProductOut`.
PRODUCT_OUT = load_options(joinedload(Product.category))

SORT_ORDERS = {
    ProductSort.NAME: order_by(Product.name.asc(), tiebreaker=Product.id),
    ProductSort.NEWEST: order_by(Product.created_at.desc(), tiebreaker=Product.id),
    ProductSort.CHEAPEST: order_by(Product.price_cents.asc(), tiebreaker=Product.id),
    ProductSort.MOST_EXPENSIVE: order_by(Product.price_cents.desc(), tiebreaker=Product.id),
}


class CategoryRepository(Repository[Category]):
    """Repository of categories."""

    model = Category


class ProductRepository(Repository[Product]):
    """Repository of products."""

    model = Product


async def product_by(db: Database, column: InstrumentedAttribute[str], value: str) -> ProductOut:
    """Return the product with this value in a unique column, or raise `NotFound`."""
    if found := await PRODUCTS.first(db, PRODUCTS.select().where(column == value)):
        return found
    raise NotFound(f"Product with {column.key} {value} not found.")


def matching_categories(query: CategoryQuery) -> Select[Category]:
    """Return a SELECT of the categories that match the filters, sorted by name."""
    statement = CATEGORIES.select().order_by(Category.name)
    if query.q is not None:
        statement = statement.where(Category.name.icontains(query.q, autoescape=True))
    return statement


def matching(query: ProductFilter) -> Select[Product]:
    """Return a SELECT of the products that match the filters, in the requested order."""
    statement = PRODUCTS.select().order_by(*SORT_ORDERS[query.sort].clauses)
    if query.q is not None:
        statement = statement.where(
            or_(
                Product.name.icontains(query.q, autoescape=True),
                Product.sku.icontains(query.q, autoescape=True),
            )
        )
    if query.category is not None:
        # PostgreSQL evaluates the subquery once, then reads the index on category and price in
        # order. A join would sort all products of the category.
        category = select(Category.id).where(Category.slug == query.category)
        statement = statement.where(Product.category_id == category.scalar_subquery())
    if query.status is not None:
        statement = statement.where(Product.status == query.status)
    if query.min_price_cents is not None:
        statement = statement.where(Product.price_cents >= query.min_price_cents)
    if query.max_price_cents is not None:
        statement = statement.where(Product.price_cents <= query.max_price_cents)
    if query.in_stock is not None:
        statement = statement.where(Product.stock > 0 if query.in_stock else _SOLD_OUT)
    return statement


# A literal 0, as in the partial index: a generic plan for a bound parameter cannot use that index.
_SOLD_OUT = Product.stock == literal_column("0")
