"""What the API takes and gives for categories and products."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from app.example.catalog.models import MAX_PRICE_CENTS, MAX_STOCK, ProductStatus
from app.kit.db.ids import Id
from app.kit.page import PageQuery
from app.kit.schemas import Changes, Input, Line, Output, SearchText, omittable
from app.kit.times import Moment

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
Name = Annotated[Line, Field(examples=["Brass gears"])]
Cents = Annotated[int, Field(ge=0, le=MAX_PRICE_CENTS, examples=[1250])]
Stock = Annotated[int, Field(ge=0, le=MAX_STOCK, examples=[40])]


class CategoryCreate(Input):
    """A new category."""

    name: Name
    slug: Slug


class CategoryChanges(Changes):
    """What may change about a category."""

    name: Name = omittable()
    slug: Slug = omittable()


class CategoryQuery(PageQuery):
    """Which categories to list."""

    q: SearchText | None = Field(None, description="Part of the name")


class CategoryOut(Output):
    """A category."""

    id: Id
    name: str
    slug: str


class ProductIn(Input):
    """A product as the catalog describes it."""

    category_id: Id
    sku: Sku
    slug: Slug
    name: Name
    status: ProductStatus = ProductStatus.DRAFT
    price_cents: Cents


class ProductCreate(ProductIn):
    """A new product, with what there is of it."""

    stock: Stock = 0


class ProductChanges(Changes):
    """What may change about a product."""

    category_id: Id = omittable()
    sku: Sku = omittable()
    slug: Slug = omittable()
    name: Name = omittable()
    status: ProductStatus = omittable()
    price_cents: Cents = omittable()
    stock: Stock = omittable()


class ProductSort(StrEnum):
    """The orders in which products can be listed."""

    NAME = "name"
    NEWEST = "newest"
    CHEAPEST = "cheapest"
    DEAREST = "dearest"


class ProductFilter(BaseModel):
    """Which products to list, and in which order."""

    q: SearchText | None = Field(None, description="Part of the name or sku")
    category: Slug | None = Field(None, description="Slug of the category")
    status: ProductStatus | None = None
    min_price_cents: Cents | None = None
    max_price_cents: Cents | None = None
    in_stock: bool | None = None
    sort: ProductSort = ProductSort.NAME


class ProductQuery(ProductFilter, PageQuery):
    """Products by offset."""


class ProductExport(ProductFilter, Input):
    """Products, however many they are."""


class ClearanceQuery(Input):
    """Which discontinued products to delete."""

    before: Moment = Field(description="Those that have not changed since")


class ProductOut(Output):
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


class ProductLine(Output):
    """A product in a table of products."""

    id: Id
    sku: str
    name: str
    status: ProductStatus
    price_cents: int
    stock: int


class ProductsAdded(Output):
    """The keys of new products, in the order of the rows."""

    ids: list[Id]


class ProductsPut(Output):
    """How many products were new and how many were there."""

    inserted: int
    updated: int


class ProductsChanged(Output):
    """How many products a change was made to."""

    products: int
