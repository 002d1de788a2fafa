"""An endpoint that parses text by itself."""

from datetime import datetime

from app.kit.db.session import SessionDep
from app.kit.routing import FeatureRouter
from tests.conformance.features.datetimes.models import Appointment

router = FeatureRouter(prefix="/conformance/appointments", tags=["conformance"])


@router.post("", status_code=204)
async def create_conformance_appointment(at: str, session: SessionDep) -> None:
    """Create an appointment."""
    try:
        aware = datetime.fromisoformat(at)
    except ValueError:
        return
    session.add(Appointment(aware=aware))
    await session.flush()
