"""Queries of samples and vehicles."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from app.kit.db.keyset import keyset_page
from app.kit.db.plan import plan
from app.kit.db.repository import Repository
from app.kit.db.sorting import order
from app.kit.db.upsert import Upserted, upsert_many
from app.kit.page import CursorSlice, PageQuery, Slice
from app.kit.queries.view import View
from tests.conformance.features.column_types.models import TypedRow, TypedVehicle
from tests.conformance.features.column_types.schemas import (
    TypedRowCreate,
    TypedRowFeed,
    TypedRowOut,
    TypedRowQuery,
    TypedRowSort,
)

SAMPLE_OUT = plan()
SAMPLES = View(TypedRowOut, TypedRow)


def _orders(descending: bool) -> dict[TypedRowSort, Any]:
    columns = {sort: getattr(TypedRow, sort) for sort in TypedRowSort}
    return {
        sort: order(TypedRow.id, column.desc().nulls_first())
        if descending
        else order(TypedRow.id, column.asc().nulls_last())
        for sort, column in columns.items()
    }


ORDERS = {descending: _orders(descending) for descending in (False, True)}


class TypedRowRepository(Repository[TypedRow]):
    """Samples."""

    model = TypedRow

    async def search(self, query: TypedRowQuery) -> Slice[TypedRow]:
        """Return one page of the samples that match the filters."""
        statement = select(TypedRow).order_by(TypedRow.code)
        if query.q is not None:
            statement = statement.where(TypedRow.varchar.icontains(query.q, autoescape=True))
        filters = query.model_dump(exclude={"q", "limit", "offset"}, exclude_none=True)
        for name, value in filters.items():
            statement = statement.where(getattr(TypedRow, name) == value)
        return await self.page(query, statement, *SAMPLE_OUT)

    async def feed(self, query: TypedRowFeed) -> CursorSlice[TypedRow]:
        """Return one page by cursor."""
        ordered = ORDERS[query.descending][query.sort]
        return await keyset_page(self.session, query, select(TypedRow), ordered, *SAMPLE_OUT)

    async def put(self, rows: Sequence[TypedRowCreate]) -> Upserted:
        """Insert or update rows by code."""
        return await upsert_many(self.session, TypedRow, map(dict, rows), by=["code"])


class TypedVehicleRepository(Repository[TypedVehicle]):
    """Vehicles of all kinds."""

    model = TypedVehicle

    async def list_all(self, query: PageQuery) -> Slice[TypedVehicle]:
        """Return one page of the vehicles."""
        return await self.page(query, select(TypedVehicle).order_by(TypedVehicle.name), *plan())
