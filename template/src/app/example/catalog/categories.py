"""The categories of the catalog."""

from typing import Annotated

from fastapi import Query, status

from app.example.catalog import service
from app.example.catalog.models import Category
from app.example.catalog.repository import CATEGORY_OUT, Categories, CategoriesToRead, Products
from app.example.catalog.schemas import (
    CategoryChanges,
    CategoryCreate,
    CategoryOut,
    CategoryQuery,
    ProductsChanged,
)
from app.kit.db.ids import Id
from app.kit.errors import problems
from app.kit.page import Page, Slice
from app.kit.routing import FeatureRouter

router = FeatureRouter(prefix="/categories", tags=["catalog"])


@router.post(
    "", status_code=status.HTTP_201_CREATED, response_model=CategoryOut, responses=problems(409)
)
async def create_category(new: CategoryCreate, categories: Categories) -> Category:
    """Create a category."""
    return await categories.add(Category(**new.model_dump()))


@router.get("", response_model=Page[CategoryOut])
async def list_categories(
    query: Annotated[CategoryQuery, Query()], categories: CategoriesToRead
) -> Slice[Category]:
    """List categories by name."""
    return await categories.search(query)


@router.get("/{category_id}", response_model=CategoryOut, responses=problems(404))
async def read_category(category_id: Id, categories: CategoriesToRead) -> Category:
    """Read a category."""
    return await categories.get(category_id, *CATEGORY_OUT)


@router.patch("/{category_id}", response_model=CategoryOut, responses=problems(404, 409))
async def update_category(
    category_id: Id, changes: CategoryChanges, categories: Categories
) -> Category:
    """Change what is sent, keep the rest."""
    category = await categories.get(category_id, *CATEGORY_OUT)
    return await categories.update(category, changes.sent())


@router.delete(
    "/{category_id}", status_code=status.HTTP_204_NO_CONTENT, responses=problems(404, 409)
)
async def delete_category(category_id: Id, categories: Categories) -> None:
    """Delete a category that no product is in."""
    await categories.delete(category_id)


@router.post("/{category_id}/discontinue", response_model=ProductsChanged, responses=problems(404))
async def discontinue_category(
    category_id: Id, products: Products, categories: Categories
) -> ProductsChanged:
    """Discontinue all products of a category."""
    changed = await service.discontinue_category(category_id, products, categories)
    return ProductsChanged(products=changed)
