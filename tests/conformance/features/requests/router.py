"""Endpoints that return what they received."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Header, Query, Request
from pydantic import BaseModel

from app.kit.batch import Batch
from app.kit.page import PageQuery
from tests.conformance.features.requests.schemas import Everything, Slot


class Period(PageQuery):
    """A period as a query."""

    since: datetime | None = None
    until: datetime | None = None


class Plain(BaseModel):
    """A body that is not an `Input`."""

    integer: int


router = APIRouter(prefix="/conformance/requests", tags=["conformance"])
# A team's router without a prefix of its own is as strict.
plain = APIRouter(tags=["conformance"])


@router.post("/everything", response_model=None)
async def send_everything(body: Everything) -> dict[str, Any]:
    """Return the fields that were sent."""
    return body.model_dump(mode="json", exclude_unset=True)


@router.post("/batch", response_model=None)
async def send_batch(batch: Batch[Everything]) -> int:
    """Return the number of rows."""
    return len(batch.rows)


@router.post("/integers", response_model=None)
async def send_integers(numbers: list[int]) -> list[int]:
    """Return a list that is the body."""
    return numbers


@router.post("/integer", response_model=None)
async def send_integer(number: Annotated[int, Body()]) -> int:
    """Return a number that is the body."""
    return number


@router.post("/parts", response_model=None)
async def send_parts(
    slot: Slot, count: Annotated[int, Body()], by_name: dict[str, datetime] | None = None
) -> Any:
    """Return the parts of a body."""
    return [slot.model_dump(mode="json"), count, by_name]


async def _number(number: Annotated[int, Body(embed=True)]) -> int:
    return number


@router.post("/dependency", response_model=None)
async def send_dependency(number: Annotated[int, Depends(_number)], request: Request) -> Any:
    """Return a number that a dependency reads from the body, and the body."""
    return [number, await request.json()]


@router.post("/document", response_model=None)
async def send_document(document: dict[str, Any]) -> Any:
    """Return any JSON object."""
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
    """Return parameters of each place."""
    return [at, times, count, is_open, x_since, text]


@router.get("/period", response_model=None)
async def send_period(period: Annotated[Period, Query()]) -> Any:
    """Return a query that is a model."""
    return period.model_dump(mode="json")


@plain.post("/conformance/plain", response_model=None)
async def send_plain(body: Plain) -> int:
    """Return a number."""
    return body.integer
