"""Endpoints for products."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response, status

from app.example.catalog import batches, service
from app.example.catalog.models import Product
from app.example.catalog.repository import (
    PRODUCT_LINES,
    PRODUCT_OUT,
    PRODUCTS,
    ProductRepository,
    matching,
    product_by,
)
from app.example.catalog.schemas import (
    ClearanceQuery,
    ProductChanges,
    ProductCreate,
    ProductExport,
    ProductIn,
    ProductOut,
    ProductQuery,
    ProductsAdded,
    ProductsChanged,
    ProductsPut,
    Sku,
    Slug,
)
from app.example.idempotency.service import OncePerKey
from app.kit.batch import Batch
from app.kit.db.deletion import DELETE_ERRORS, DELETE_WHERE_ERRORS
from app.kit.db.ids import Id
from app.kit.db.retry import retrying
from app.kit.db.session import DatabaseDep, SessionDep
from app.kit.db.upsert import Upserted
from app.kit.errors import problems
from app.kit.etag import ETag
from app.kit.page import Page, Slice
from app.kit.stream import CSV, JSON_LINES, CsvLines, JsonLines

router = APIRouter(prefix="/products", tags=["catalog"])


@router.post(
    "", status_code=status.HTTP_201_CREATED, response_model=ProductOut, responses=problems(409)
)
async def create_product(new: ProductCreate, session: SessionDep) -> Product:
    """Create a product in a category."""
    return await service.add_product(new, session)


@router.get("", response_model=Page[ProductOut])
async def list_products(
    query: Annotated[ProductQuery, Query()], db: DatabaseDep
) -> Slice[ProductOut]:
    """List products with their category by offset, with the total count."""
    return await PRODUCTS.page(db, query, matching(query))


# Static paths go before `/{product_id}`, which would match them.
@router.post(
    "/batch",
    status_code=status.HTTP_201_CREATED,
    response_model=ProductsAdded,
    responses=problems(409),
)
async def create_products(batch: Batch[ProductCreate], once: OncePerKey) -> Response:
    """Create up to 1000 products, all or none. An error response lists each invalid row."""
    return await once.do(partial(batches.add_products, batch.rows))


@router.put("/batch", response_model=ProductsPut, responses=problems(409))
async def put_products(batch: Batch[ProductIn], db: DatabaseDep) -> Upserted:
    """Create or update up to 1000 products by SKU, all or none."""
    return await retrying(db, partial(batches.put_products, batch.rows))


@router.get("/export", response_class=JsonLines, responses=JSON_LINES)
async def export_products(query: Annotated[ProductExport, Query()], db: DatabaseDep) -> JsonLines:
    """Export all matching products as JSON Lines."""
    return JsonLines(PRODUCTS.stream(db, matching(query)))


@router.get("/export.csv", response_class=CsvLines, responses=CSV)
async def export_products_as_csv(
    query: Annotated[ProductExport, Query()], db: DatabaseDep
) -> CsvLines:
    """Export all matching products as CSV for a spreadsheet."""
    return CsvLines(PRODUCT_LINES.stream(db, matching(query)), escape_formulas=True)


@router.delete(
    "/discontinued", response_model=ProductsChanged, responses=problems(*DELETE_WHERE_ERRORS)
)
async def clear_out_products(
    query: Annotated[ClearanceQuery, Query()], session: SessionDep
) -> ProductsChanged:
    """Delete the discontinued products that have not been updated since a given time."""
    return ProductsChanged(products=await service.clear_out(query.before, session))


@router.get("/by-sku/{sku}", response_model=ProductOut, responses=problems(404))
async def read_product_by_sku(sku: Annotated[Sku, Path()], db: DatabaseDep) -> ProductOut:
    """Return the product with this stock-keeping unit (SKU)."""
    return await product_by(db, Product.sku, sku)


@router.get("/by-slug/{slug}", response_model=ProductOut, responses=problems(404))
async def read_product_by_slug(slug: Annotated[Slug, Path()], db: DatabaseDep) -> ProductOut:
    """Return the product with this slug."""
    return await product_by(db, Product.slug, slug)


@router.get("/{product_id}", response_model=ProductOut, responses=problems(404))
async def read_product(product_id: Id, db: DatabaseDep, etag: ETag) -> ProductOut:
    """Return a product with its category."""
    return etag.show(await PRODUCTS.get(db, product_id))


@router.patch("/{product_id}", response_model=ProductOut, responses=problems(404, 409, 412))
async def update_product(
    product_id: Id, changes: ProductChanges, session: SessionDep, etag: ETag
) -> Product:
    """Update the fields that are sent. With `If-Match`, only update that version."""
    product = await ProductRepository(session).get(product_id, *PRODUCT_OUT)
    etag.check(product)
    return etag.show(await service.revise_product(product, changes, session))


@router.delete(
    "/{product_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(*DELETE_ERRORS, 412),
)
async def delete_product(product_id: Id, session: SessionDep, etag: ETag) -> None:
    """Delete a product. With `If-Match`, only delete that version."""
    products = ProductRepository(session)
    etag.check(await products.get(product_id, for_update=True))
    await products.delete(product_id)
