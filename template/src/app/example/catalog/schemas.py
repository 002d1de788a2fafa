"""Request and response bodies for categories and products."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from app.example.catalog.models import MAX_PRICE_CENTS, MAX_STOCK, ProductStatus
from app.kit.db.ids import Id
from app.kit.http.schemas import (
    PatchModel,
    RequestModel,
    ResponseModel,
    SearchStr,
    ShortStr,
    UtcDatetime,
    optional_field,
)
from app.kit.queries.pagination import PageQuery

Slug = Annotated[
    str,
    StringConstraints(max_length=100, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$"),
    Field(examples=["brass-gears"]),
]
Sku = Annotated[
    str,
    StringConstraints(max_length=40, pattern=r"^[A-Z0-9]+(-[A-Z0-9]+)*$"),
    Field(examples=["GEAR-12"]),
]
Name = Annotated[ShortStr, Field(examples=["Brass gears"])]
Cents = Annotated[int, Field(ge=0, le=MAX_PRICE_CENTS, examples=[1250])]
Stock = Annotated[int, Field(ge=0, le=MAX_STOCK, examples=[40])]


class CategoryCreate(RequestModel):
    """A new category."""

    name: Name
    slug: Slug


class CategoryChanges(PatchModel):
    """Fields of a category to update."""

    name: Name = optional_field()
    slug: Slug = optional_field()


class CategoryQuery(PageQuery):
    """Query parameters of the list of categories."""

    q: SearchStr | None = Field(None, description="Part of the name")


class CategoryOut(ResponseModel):
    """A category."""

    id: Id
    name: str
    slug: str


class ProductIn(RequestModel):
    """A product without its stock."""

    category_id: Id
    sku: Sku
    slug: Slug
    name: Name
    status: ProductStatus = ProductStatus.DRAFT
    price_cents: Cents


class ProductCreate(ProductIn):
    """A new product with its stock."""

    stock: Stock = 0


class ProductChanges(PatchModel):
    """Fields of a product to update."""

    category_id: Id = optional_field()
    sku: Sku = optional_field()
    slug: Slug = optional_field()
    name: Name = optional_field()
    status: ProductStatus = optional_field()
    price_cents: Cents = optional_field()
    stock: Stock = optional_field()


class ProductSort(StrEnum):
    """Sort order of products."""

    NAME = "name"
    NEWEST = "newest"
    CHEAPEST = "cheapest"
    MOST_EXPENSIVE = "most_expensive"


class ProductFilter(BaseModel):
    """Filters and sort order of products."""

    q: SearchStr | None = Field(None, description="Part of the name or SKU")
    category: Slug | None = Field(None, description="Slug of the category")
    status: ProductStatus | None = None
    min_price_cents: Cents | None = None
    max_price_cents: Cents | None = None
    in_stock: bool | None = None
    sort: ProductSort = ProductSort.NAME


class ProductQuery(ProductFilter, PageQuery):
    """Query parameters of the list of products."""


class ExportQuery(ProductFilter, RequestModel):
    """Query parameters of an export, which contains all rows."""


class DiscontinuedQuery(RequestModel):
    """Query parameters that select discontinued products."""

    before: UtcDatetime = Field(description="Delete products last updated before this time")


class ProductOut(ResponseModel):
    """A product with its category."""

    id: Id
    sku: str
    slug: str
    name: str
    status: ProductStatus
    price_cents: int
    stock: int
    version: int
    category: CategoryOut
    created_at: datetime
    updated_at: datetime


class ProductCsvRow(ResponseModel):
    """A row of the CSV export."""

    id: Id
    sku: str
    name: str
    status: ProductStatus
    price_cents: int
    stock: int


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

    source: StockOut
    target: StockOut


class ProductsAdded(ResponseModel):
    """The ids of the new products, in the order of the rows."""

    ids: list[Id]


class ProductsPut(ResponseModel):
    """Number of created and updated products."""

    inserted: int
    updated: int


class ProductsChanged(ResponseModel):
    """Number of updated or deleted products."""

    products: int
