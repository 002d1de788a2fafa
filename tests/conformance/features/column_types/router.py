"""Endpoints of samples and vehicles."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query

from app.kit.db.ids import Id
from app.kit.errors.problems import problem_responses
from app.kit.http.dependencies import DatabaseDep, ReadSessionDep, SessionDep
from app.kit.http.streaming import JSON_LINES, JsonLines
from app.kit.queries.pagination import CursorPage, CursorPageResult, Page, PageQuery, PageResult
from app.kit.writes.request_checks import Batch
from app.kit.writes.upsert import UpsertResult
from tests.conformance.features.column_types.models import (
    TypedBicycle,
    TypedRow,
    TypedTruck,
    TypedVehicle,
)
from tests.conformance.features.column_types.repository import (
    SAMPLE_OUT,
    SAMPLES,
    VEHICLES,
    TypedRowRepository,
    TypedVehicleRepository,
)
from tests.conformance.features.column_types.schemas import (
    TypedRowChanges,
    TypedRowCreate,
    TypedRowFeed,
    TypedRowOut,
    TypedRowQuery,
    TypedRowsPut,
    TypedVehicleChanges,
    TypedVehicleCreate,
    TypedVehicleOut,
)

samples = APIRouter(prefix="/conformance/everything", tags=["conformance"])
vehicles = APIRouter(prefix="/conformance/everything-vehicles", tags=["conformance"])


@samples.post(
    "", status_code=HTTPStatus.CREATED, response_model=TypedRowOut, responses=problem_responses(409)
)
async def create_sample_of_everything(new: TypedRowCreate, session: SessionDep) -> TypedRow:
    """Create a sample."""
    return await TypedRowRepository(session).add(TypedRow(**dict(new)))


@samples.get("", response_model=Page[TypedRowOut])
async def list_samples_of_everything(
    query: Annotated[TypedRowQuery, Query()], session: ReadSessionDep
) -> PageResult[TypedRowOut]:
    """List samples, by offset."""
    return await TypedRowRepository(session).search(query)


@samples.get("/feed", response_model=CursorPage[TypedRowOut])
async def read_samples_feed_of_everything(
    query: Annotated[TypedRowFeed, Query()], session: ReadSessionDep
) -> CursorPageResult[TypedRow]:
    """List samples, by cursor."""
    return await TypedRowRepository(session).feed(query)


@samples.get("/view", response_model=Page[TypedRowOut])
async def list_samples_of_everything_by_view(
    query: Annotated[PageQuery, Query()], db: DatabaseDep
) -> PageResult[TypedRowOut]:
    """List samples by a view."""
    return await SAMPLES.page(db, query, SAMPLES.select().order_by(TypedRow.code))


@samples.get("/export", response_class=JsonLines, responses=JSON_LINES)
async def export_samples_of_everything(db: DatabaseDep) -> JsonLines:
    """Export all samples as NDJSON."""
    return JsonLines(SAMPLES.stream(db, SAMPLES.select().order_by(TypedRow.code)))


@samples.put("/batch", response_model=TypedRowsPut, responses=problem_responses(409))
async def put_samples_of_everything(
    batch: Batch[TypedRowCreate], session: SessionDep
) -> UpsertResult:
    """Create or update samples, by their code."""
    return await TypedRowRepository(session).put(batch.rows)


@samples.get("/{sample_id}", response_model=TypedRowOut, responses=problem_responses(404))
async def get_sample_of_everything(sample_id: Id, db: DatabaseDep) -> TypedRowOut:
    """Return a sample."""
    return await SAMPLES.get(db, sample_id)


@samples.patch("/{sample_id}", response_model=TypedRowOut, responses=problem_responses(404, 409))
async def update_sample_of_everything(
    sample_id: Id, changes: TypedRowChanges, session: SessionDep
) -> TypedRow:
    """Update the fields that the request contains."""
    sample = await TypedRowRepository(session).get(sample_id, *SAMPLE_OUT, for_update=True)
    return await TypedRowRepository(session).update(sample, changes.sent())


@samples.put("/{sample_id}", response_model=TypedRowOut, responses=problem_responses(404, 409))
async def replace_sample_of_everything(
    sample_id: Id, new: TypedRowCreate, db: DatabaseDep
) -> TypedRowOut:
    """Replace all fields in one statement."""
    return await SAMPLES.update(db, sample_id, dict(new))


@samples.delete("/{sample_id}", status_code=HTTPStatus.NO_CONTENT, responses=problem_responses(404))
async def delete_sample_of_everything(sample_id: Id, session: SessionDep) -> None:
    """Delete a sample."""
    await TypedRowRepository(session).delete(sample_id)


@vehicles.post("", status_code=HTTPStatus.CREATED, response_model=TypedVehicleOut)
async def create_vehicle_of_everything(
    new: TypedVehicleCreate, session: SessionDep
) -> TypedVehicle:
    """Create a truck (joined table) or a bicycle (single table)."""
    if new.kind == "truck":
        return await TypedVehicleRepository(session).add(TypedTruck(name=new.name, load=new.number))
    return await TypedVehicleRepository(session).add(TypedBicycle(name=new.name, gears=new.number))


@vehicles.get("", response_model=Page[TypedVehicleOut])
async def list_vehicles_of_everything(
    query: Annotated[PageQuery, Query()], db: DatabaseDep
) -> PageResult[TypedVehicleOut]:
    """List vehicles of all kinds."""
    return await VEHICLES.page(db, query, VEHICLES.select().order_by(TypedVehicle.name))


@vehicles.get("/{vehicle_id}", response_model=TypedVehicleOut, responses=problem_responses(404))
async def get_vehicle_of_everything(vehicle_id: Id, session: ReadSessionDep) -> TypedVehicle:
    """Return a vehicle."""
    return await TypedVehicleRepository(session).get(vehicle_id)


@vehicles.patch("/{vehicle_id}", response_model=TypedVehicleOut, responses=problem_responses(404))
async def update_vehicle_of_everything(
    vehicle_id: Id, changes: TypedVehicleChanges, session: SessionDep
) -> TypedVehicle:
    """Update the fields that the request contains."""
    vehicle = await TypedVehicleRepository(session).get(vehicle_id)
    return await TypedVehicleRepository(session).update(vehicle, changes.sent())


@vehicles.delete(
    "/{vehicle_id}", status_code=HTTPStatus.NO_CONTENT, responses=problem_responses(404)
)
async def delete_vehicle_of_everything(vehicle_id: Id, session: SessionDep) -> None:
    """Delete a vehicle."""
    await TypedVehicleRepository(session).delete(vehicle_id)


ROUTERS: list[APIRouter] = [samples, vehicles]
