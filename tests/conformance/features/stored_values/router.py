"""An endpoint that stores any value of its plain types."""

from decimal import Decimal
from http import HTTPStatus

from fastapi import APIRouter

from app.kit.http.dependencies import SessionDep
from app.kit.http.schemas import RequestModel
from app.kit.writes.request_checks import Batch
from tests.conformance.features.stored_values.models import Room

router = APIRouter(prefix="/conformance/rooms", tags=["conformance"])


class RoomIn(RequestModel):
    """A new room."""

    building: str
    number: int
    floor: int = 0
    price: Decimal = Decimal(0)


@router.post("", status_code=HTTPStatus.CREATED)
async def create_conformance_room(room: RoomIn, session: SessionDep) -> None:
    """Create a room."""
    session.add(Room(**room.model_dump()))
    await session.flush()


@router.post("/batch", status_code=HTTPStatus.CREATED)
async def create_conformance_rooms(rooms: Batch[RoomIn], session: SessionDep) -> None:
    """Create rooms."""
    session.add_all([Room(**room.model_dump()) for room in rooms.rows])
    await session.flush()
