"""Business logic for products."""

from app.example.catalog.models import Category, Product, ProductStatus
from app.example.catalog.repository import CategoryRepository, ProductRepository
from app.example.catalog.schemas import ProductChanges, ProductCreate
from app.kit.db.batches import delete_in_batches, update_in_batches
from app.kit.db.ids import Id
from app.kit.errors import FieldProblem, Invalid
from app.kit.times import Moment


async def add_product(
    new: ProductCreate, products: ProductRepository, categories: CategoryRepository
) -> Product:
    """Create a product. Raises `Invalid` if its category does not exist."""
    category = await _existing_category(new.category_id, categories)
    return await products.add(Product(category=category, **new.model_dump(exclude={"category_id"})))


async def revise_product(
    product: Product,
    changes: ProductChanges,
    products: ProductRepository,
    categories: CategoryRepository,
) -> Product:
    """Update a product. Raises `Invalid` if the new category does not exist."""
    if "category_id" in changes.model_fields_set:
        product.category = await _existing_category(changes.category_id, categories)
    return await products.update(product, changes.sent(apart_from="category_id"))


async def discontinue_category(
    category_id: Id, products: ProductRepository, categories: CategoryRepository
) -> int:
    """Discontinue all products of a category. Return the number of updated products."""
    category = await categories.get(category_id)
    return await update_in_batches(
        products.session,
        Product,
        Product.category_id == category.id,
        Product.status != ProductStatus.DISCONTINUED,
        values={"status": ProductStatus.DISCONTINUED},
    )


async def clear_out(before: Moment, products: ProductRepository) -> int:
    """Delete the discontinued products not updated since `before`. Return their number."""
    return await delete_in_batches(
        products.session,
        Product,
        Product.status == ProductStatus.DISCONTINUED,
        Product.updated_at < before,
    )


async def _existing_category(category_id: Id, categories: CategoryRepository) -> Category:
    category = await categories.one_by(Category.id == category_id)
    if category is None:
        problem = FieldProblem(field="body.category_id", message="category not found")
        raise Invalid("The category does not exist.", problem)
    return category
