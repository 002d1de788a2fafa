"""An endpoint that parses a datetime without Pydantic."""

from datetime import datetime

from fastapi import APIRouter

from app.kit.http.dependencies import SessionDep
from tests.conformance.features.datetimes.models import Appointment

router = APIRouter(prefix="/conformance/appointments", tags=["conformance"])


@router.post("", status_code=204)
async def create_conformance_appointment(at: str, session: SessionDep) -> None:
    """Create an appointment."""
    try:
        aware = datetime.fromisoformat(at)
    except ValueError:
        return
    session.add(Appointment(aware=aware))
    await session.flush()
