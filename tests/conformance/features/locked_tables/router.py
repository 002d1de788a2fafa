"""Endpoints that read and write both tables."""

from http import HTTPStatus

from fastapi import APIRouter
from sqlalchemy import delete, func, select, update

from app.kit.http.dependencies import ReadSessionDep, SessionDep
from tests.conformance.features.locked_tables.models import Locked, Unlocked

locked = APIRouter(prefix="/conformance/locked", tags=["conformance"])
unlocked = APIRouter(prefix="/conformance/unlocked", tags=["conformance"])


@locked.get("/{name}")
async def get_conformance_locked(name: str, session: ReadSessionDep) -> bool:
    """Return whether a row with this name exists."""
    return await session.scalar(select(Locked.id).where(Locked.name == name).limit(1)) is not None


@locked.post("", status_code=HTTPStatus.CREATED)
async def create_conformance_locked(session: SessionDep) -> None:
    """Create a row."""
    session.add(Locked(name="x"))


@locked.get("/feed/{name}")
async def list_conformance_locked(name: str, session: ReadSessionDep) -> int:
    """Count rows with this name."""
    return await session.scalar(select(func.count()).where(Locked.name == name)) or 0


@locked.delete("/{name}", status_code=HTTPStatus.NO_CONTENT)
async def delete_conformance_locked(name: str, session: SessionDep) -> None:
    """Delete rows with this name."""
    await session.execute(delete(Locked).where(Locked.name == name))


@locked.put("/batch")
async def update_conformance_locked(session: SessionDep) -> None:
    """Update all rows."""
    await session.execute(update(Locked).values(name="y"))


@unlocked.get("/count")
async def count_conformance_unlocked(session: ReadSessionDep) -> int:
    """Count rows."""
    return await session.scalar(select(func.count()).select_from(Unlocked)) or 0


@unlocked.post("", status_code=HTTPStatus.CREATED)
async def create_conformance_unlocked(session: SessionDep) -> None:
    """Create a row."""
    session.add(Unlocked(name="x"))
