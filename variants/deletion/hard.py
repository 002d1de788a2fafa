"""Hard delete: a deleted row is removed from its table."""

from typing import Any, TypeVar, cast

from sqlalchemy import ColumnElement, CursorResult, Executable, Index, delete
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from app.kit.db.base import Base, TimestampedModel, in_base_table

Model = TimestampedModel

# Error statuses of an endpoint that deletes one row. 409: other rows refer to it.
DELETE_ERRORS = (404, 409)
# Error statuses of an endpoint that deletes rows by criteria.
DELETE_WHERE_ERRORS: tuple[int, ...] = (409,)

S = TypeVar("S", bound=Executable)


class SyncSession(Session):
    """The session class behind each `AsyncSession` of the service. Attach session events to it."""


def exclude_deleted(statement: S) -> S:
    """Return the statement unchanged: deleted rows no longer exist."""
    return statement


def not_deleted(_model: type[Base]) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions that exclude deleted rows: none, as deleted rows no longer exist."""
    return ()


def unique_when_not_deleted(*columns: str) -> Index:
    """Return a unique index on these columns."""
    return Index(None, *columns, unique=True)


async def delete_row(session: AsyncSession, record: TimestampedModel) -> None:
    """Delete a row and the rows it owns (`ON DELETE CASCADE`)."""
    await session.delete(record)
    await session.flush()


async def delete_where(
    session: AsyncSession, model: type[Base], *conditions: ColumnElement[bool]
) -> int:
    """Delete the matching rows and the rows they own, and return the number of matching rows."""
    # In joined-table inheritance, ON DELETE CASCADE deletes the row of the subclass's table.
    stored, where = in_base_table(model, *conditions)
    result = await session.execute(delete(stored).where(*where))
    return cast("CursorResult[Any]", result).rowcount
