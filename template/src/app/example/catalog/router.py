"""The catalog: categories and their products."""

from fastapi import APIRouter

from app.example.catalog.categories import router as categories
from app.example.catalog.products import router as products

router = APIRouter()
router.include_router(categories)
router.include_router(products)
