"""Health routes for whoever watches the process."""

from fastapi import APIRouter, Request
from pydantic import BaseModel

from app.kit.errors import problems
from app.kit.readiness import Readiness

router = APIRouter(prefix="/health", tags=["health"])


class Health(BaseModel):
    """How the service is."""

    status: str = "ok"


@router.get("/live")
async def live() -> Health:
    """Tell that the process answers. A database that is away is no reason to restart it."""
    return Health()


@router.get("/ready", responses=problems(503))
async def ready(request: Request) -> Health:
    """Tell whether the service can do its work: its database is there, and migrated."""
    readiness: Readiness = request.app.state.readiness
    await readiness.check()
    return Health()
