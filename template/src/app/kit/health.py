"""Health routes for whoever watches the process."""

from fastapi import APIRouter, Request
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.kit.db.session import database_of
from app.kit.errors import Unavailable, problems

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
    """Tell whether the service can do its work, that is, reach its database."""
    database = database_of(request)
    try:
        for engine in (database.engine, database.reading_engine):
            async with engine.connect() as connection:
                await connection.execute(text("SELECT 1"))
    except SQLAlchemyError as error:
        raise Unavailable("The database cannot be reached.") from error
    return Health()
