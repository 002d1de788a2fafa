"""Deleting removes the row."""

from typing import Any, TypeVar, cast

from sqlalchemy import ColumnElement, CursorResult, Executable, Index, delete
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from app.kit.db.base import Record, in_base_table

Entity = Record

# Statuses with which deleting a row fails, for `problems`: other rows may still refer to it.
DELETE_ERRORS = (404, 409)
# The same for rows that meet conditions, of which there may be none.
DELETE_WHERE_ERRORS: tuple[int, ...] = (409,)

S = TypeVar("S", bound=Executable)


class ServiceSession(Session):
    """The session below every `AsyncSession` of the service; its events attach here."""


def living(statement: S) -> S:
    """The statement as it is: what was deleted is gone."""
    return statement


def not_deleted(_model: type[Record]) -> tuple[ColumnElement[bool], ...]:
    """The conditions on rows that are not deleted: none, as these are the rows there are."""
    return ()


def unique_live(*columns: str) -> Index:
    """Let no two rows share these columns."""
    return Index(None, *columns, unique=True)


async def erase(session: AsyncSession, record: Record) -> None:
    """Delete a row, and with it what it owns (`ON DELETE CASCADE`)."""
    await session.delete(record)
    await session.flush()


async def erase_where(
    session: AsyncSession, model: type[Record], *conditions: ColumnElement[bool]
) -> int:
    """Delete the rows that meet the conditions, with what they own; returns how many they were."""
    stored, where = in_base_table(model, *conditions)
    result = await session.execute(delete(stored).where(*where))
    return cast("CursorResult[Any]", result).rowcount
