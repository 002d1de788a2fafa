"""Deleting removes the row."""

from sqlalchemy import Index
from sqlalchemy.ext.asyncio import AsyncSession

from app.kit.db.base import Record

Entity = Record


def unique_live(*columns: str) -> Index:
    """Let no two rows share these columns."""
    return Index(None, *columns, unique=True)


async def erase(session: AsyncSession, record: Record) -> None:
    """Delete a row, and with it what it owns (`ON DELETE CASCADE`)."""
    await session.delete(record)
    await session.flush()
