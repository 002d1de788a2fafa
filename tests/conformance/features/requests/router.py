"""Endpoints that return what they received."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Header, Query, Request
from pydantic import BaseModel

from app.kit.queries.pagination import PageQuery
from app.kit.writes.request_checks import Batch
from tests.conformance.features.requests.schemas import Everything, Slot


class Period(PageQuery):
    """A query model with a period."""

    since: datetime | None = None
    until: datetime | None = None


class Plain(BaseModel):
    """A body model that is not an `Input`."""

    integer: int


router = APIRouter(prefix="/conformance/requests", tags=["conformance"])
# A team's router without a prefix has the same strict validation.
plain = APIRouter(tags=["conformance"])


@router.post("/everything", response_model=None)
async def send_everything(body: Everything) -> dict[str, Any]:
    """Return the fields in the request."""
    return body.model_dump(mode="json", exclude_unset=True)


@router.post("/batch", response_model=None)
async def send_batch(batch: Batch[Everything]) -> int:
    """Return the number of rows."""
    return len(batch.rows)


@router.post("/integers", response_model=None)
async def send_integers(numbers: list[int]) -> list[int]:
    """Accept a list as the body, and return it."""
    return numbers


@router.post("/integer", response_model=None)
async def send_integer(number: Annotated[int, Body()]) -> int:
    """Accept a number as the body, and return it."""
    return number


@router.post("/parts", response_model=None)
async def send_parts(
    slot: Slot, count: Annotated[int, Body()], by_name: dict[str, datetime] | None = None
) -> Any:
    """Accept a body of several parameters, and return it."""
    return [slot.model_dump(mode="json"), count, by_name]


async def _number(number: Annotated[int, Body(embed=True)]) -> int:
    return number


@router.post("/dependency", response_model=None)
async def send_dependency(number: Annotated[int, Depends(_number)], request: Request) -> Any:
    """Return the body, and a number that a dependency reads from it."""
    return [number, await request.json()]


@router.post("/document", response_model=None)
async def send_document(document: dict[str, Any]) -> Any:
    """Accept any JSON object, and return it."""
    return document


@router.get("/parameters/{at}", response_model=None)
async def send_parameters(
    at: datetime,
    times: Annotated[list[datetime] | None, Query()] = None,
    count: int = 0,
    is_open: bool = False,
    x_since: Annotated[datetime | None, Header()] = None,
    text: str = "",
) -> Any:
    """Return path, query and header parameters."""
    return [at, times, count, is_open, x_since, text]


@router.get("/period", response_model=None)
async def send_period(period: Annotated[Period, Query()]) -> Any:
    """Return the parameters of a query model."""
    return period.model_dump(mode="json")


@plain.post("/conformance/plain", response_model=None)
async def send_plain(body: Plain) -> int:
    """Return a number."""
    return body.integer
