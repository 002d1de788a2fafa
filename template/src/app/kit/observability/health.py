"""Health check endpoints."""

from fastapi import APIRouter, Request
from pydantic import BaseModel

from app.kit.errors.problems import problem_responses
from app.kit.observability.readiness import Readiness

router = APIRouter(prefix="/health", tags=["health"])


class Health(BaseModel):
    """The status of the service."""

    status: str = "ok"


@router.get("/live")
async def live() -> Health:
    """Report that the process is running. Does not check the database."""
    return Health()


@router.get("/ready", responses=problem_responses(503))
async def ready(request: Request) -> Health:
    """Report whether the service is ready: the database is reachable and migrated."""
    readiness: Readiness = request.app.state.readiness
    await readiness.check()
    return Health()
