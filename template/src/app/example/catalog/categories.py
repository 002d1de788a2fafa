"""Endpoints for categories."""

from typing import Annotated

from fastapi import APIRouter, Query, status

from app.example.catalog import service
from app.example.catalog.repository import CATEGORIES, CategoryRepository, matching_categories
from app.example.catalog.schemas import (
    CategoryChanges,
    CategoryCreate,
    CategoryOut,
    CategoryQuery,
    ProductsChanged,
)
from app.kit.db.ids import Id
from app.kit.db.session import DatabaseDep, SessionDep
from app.kit.errors import problems
from app.kit.page import Page, Slice

router = APIRouter(prefix="/categories", tags=["catalog"])


@router.post(
    "", status_code=status.HTTP_201_CREATED, response_model=CategoryOut, responses=problems(409)
)
async def create_category(new: CategoryCreate, db: DatabaseDep) -> CategoryOut:
    """Create a category."""
    return await CATEGORIES.insert(db, new)


@router.get("", response_model=Page[CategoryOut])
async def list_categories(
    query: Annotated[CategoryQuery, Query()], db: DatabaseDep
) -> Slice[CategoryOut]:
    """List categories, sorted by name."""
    return await CATEGORIES.page(db, query, matching_categories(query))


@router.get("/{category_id}", response_model=CategoryOut, responses=problems(404))
async def read_category(category_id: Id, db: DatabaseDep) -> CategoryOut:
    """Return a category."""
    return await CATEGORIES.get(db, category_id)


@router.patch("/{category_id}", response_model=CategoryOut, responses=problems(404, 409))
async def update_category(
    category_id: Id, changes: CategoryChanges, db: DatabaseDep
) -> CategoryOut:
    """Update the fields that are sent. The other fields keep their values."""
    return await CATEGORIES.update(db, category_id, changes)


@router.delete(
    "/{category_id}", status_code=status.HTTP_204_NO_CONTENT, responses=problems(404, 409)
)
async def delete_category(category_id: Id, session: SessionDep) -> None:
    """Delete a category. It must not have any products."""
    await CategoryRepository(session).delete(category_id)


@router.post("/{category_id}/discontinue", response_model=ProductsChanged, responses=problems(404))
async def discontinue_category(category_id: Id, session: SessionDep) -> ProductsChanged:
    """Discontinue all products of a category."""
    changed = await service.discontinue_category(category_id, session)
    return ProductsChanged(products=changed)
