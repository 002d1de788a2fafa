"""Business logic for products."""

from sqlalchemy.ext.asyncio import AsyncSession

from app.example.catalog.models import Category, Product, ProductStatus
from app.example.catalog.repository import CategoryRepository, ProductRepository
from app.example.catalog.schemas import ProductChanges, ProductCreate
from app.kit.db.ids import Id
from app.kit.errors.problems import FieldProblem, Invalid
from app.kit.http.schemas import UtcDatetime
from app.kit.writes.batches import delete_in_batches, update_in_batches


async def add_product(new: ProductCreate, session: AsyncSession) -> Product:
    """Create a product. Raises `Invalid` if its category does not exist."""
    category = await _existing_category(new.category_id, session)
    product = Product(category=category, **new.model_dump(exclude={"category_id"}))
    return await ProductRepository(session).add(product)


async def revise_product(
    product: Product, changes: ProductChanges, session: AsyncSession
) -> Product:
    """Update a product. Raises `Invalid` if the new category does not exist."""
    if "category_id" in changes.model_fields_set:
        product.category = await _existing_category(changes.category_id, session)
    sent = changes.sent(apart_from="category_id")
    return await ProductRepository(session).update(product, sent)


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


async def clear_out(before: UtcDatetime, session: AsyncSession) -> int:
    """Delete the discontinued products not updated since `before`. Return their number."""
    return await delete_in_batches(
        session,
        Product,
        Product.status == ProductStatus.DISCONTINUED,
        Product.updated_at < before,
    )


async def _existing_category(category_id: Id, session: AsyncSession) -> Category:
    category = await CategoryRepository(session).get_one_or_none(Category.id == category_id)
    if category is None:
        problem = FieldProblem(field="body.category_id", message="category not found")
        raise Invalid("The category does not exist.", problem)
    return category
