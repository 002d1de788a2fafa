"""Queries of samples and vehicles."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from app.kit.queries.pagination import CursorPageResult, PageResult
from app.kit.queries.repository import Repository, load_options
from app.kit.queries.sorting import order_by
from app.kit.queries.view import View
from app.kit.writes.upsert import UpsertResult, upsert_many
from tests.conformance.features.column_types.models import TypedRow, TypedVehicle
from tests.conformance.features.column_types.schemas import (
    TypedRowCreate,
    TypedRowFeed,
    TypedRowOut,
    TypedRowQuery,
    TypedRowSort,
    TypedVehicleOut,
)
from tests.conformance.support.keyset import read_keyset_page

SAMPLE_OUT = load_options()
SAMPLES = View(TypedRowOut, TypedRow)
VEHICLES = View(TypedVehicleOut, TypedVehicle)


def _orders(descending: bool) -> dict[TypedRowSort, Any]:
    columns = {sort: getattr(TypedRow, sort) for sort in TypedRowSort}
    return {
        sort: order_by(column.desc().nulls_first(), tiebreaker=TypedRow.id)
        if descending
        else order_by(column.asc().nulls_last(), tiebreaker=TypedRow.id)
        for sort, column in columns.items()
    }


SORT_ORDERS = {descending: _orders(descending) for descending in (False, True)}


class TypedRowRepository(Repository[TypedRow]):
    """Samples."""

    model = TypedRow

    async def search(self, query: TypedRowQuery) -> PageResult[TypedRowOut]:
        """Return one page of the samples that match the filters."""
        statement = SAMPLES.select().order_by(TypedRow.code)
        if query.q is not None:
            statement = statement.where(TypedRow.varchar.icontains(query.q, autoescape=True))
        filters = query.model_dump(exclude={"q", "limit", "offset"}, exclude_none=True)
        for name, value in filters.items():
            statement = statement.where(getattr(TypedRow, name) == value)
        return await SAMPLES.page(self.session, query, statement)

    async def feed(self, query: TypedRowFeed) -> CursorPageResult[TypedRow]:
        """Return one page by cursor."""
        ordered = SORT_ORDERS[query.descending][query.sort]
        return await read_keyset_page(self.session, query, select(TypedRow), ordered, *SAMPLE_OUT)

    async def put(self, rows: Sequence[TypedRowCreate]) -> UpsertResult:
        """Insert or update rows by code."""
        return await upsert_many(self.session, TypedRow, map(dict, rows), by=["code"])


class TypedVehicleRepository(Repository[TypedVehicle]):
    """Vehicles of all kinds."""

    model = TypedVehicle
