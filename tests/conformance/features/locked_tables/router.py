"""Endpoints that read and write each table."""

from http import HTTPStatus

from sqlalchemy import func, select

from app.kit.db.session import ReadSessionDep, SessionDep
from app.kit.routing import FeatureRouter
from tests.conformance.features.locked_tables.models import Locked, Unlocked

locked = FeatureRouter(prefix="/conformance/locked", tags=["conformance"])
unlocked = FeatureRouter(prefix="/conformance/unlocked", tags=["conformance"])


@locked.get("/{name}")
async def get_conformance_locked(name: str, session: ReadSessionDep) -> bool:
    """Return whether a row with this name exists."""
    return await session.scalar(select(Locked.id).where(Locked.name == name).limit(1)) is not None


@locked.post("", status_code=HTTPStatus.CREATED)
async def create_conformance_locked(session: SessionDep) -> None:
    """Create a row."""
    session.add(Locked(name="x"))


@unlocked.get("/count")
async def count_conformance_unlocked(session: ReadSessionDep) -> int:
    """Count rows."""
    return await session.scalar(select(func.count()).select_from(Unlocked)) or 0


@unlocked.post("", status_code=HTTPStatus.CREATED)
async def create_conformance_unlocked(session: SessionDep) -> None:
    """Create a row."""
    session.add(Unlocked(name="x"))
