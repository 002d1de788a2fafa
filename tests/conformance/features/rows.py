"""Read the rows of a table, with and without the soft-delete filter."""

from typing import Any

from sqlalchemy import Table, inspect, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.kit.db.base import Base


async def visible(session: AsyncSession, model: type[Any]) -> list[Any]:
    """Return the ids of the rows that a query of the model finds, sorted."""
    session.expunge_all()
    return list(await session.scalars(select(model.id).order_by(model.id)))


async def stored(session: AsyncSession, model: type[Base]) -> int:
    """Return the number of rows in the model's table, soft-deleted rows included."""
    table = inspect(model).local_table
    assert isinstance(table, Table)
    return len((await session.execute(select(*table.primary_key))).all())
