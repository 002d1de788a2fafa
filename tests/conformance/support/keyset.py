"""Cursor pages of entities."""

from typing import Any

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.interfaces import ORMOption

from app.kit.queries.keyset import paginate_keyset
from app.kit.queries.pagination import CursorPageResult, CursorQuery, has_entities
from app.kit.queries.sorting import SortOrder


async def read_keyset_page(
    session: AsyncSession,
    query: CursorQuery,
    statement: Select[Any],
    order: SortOrder,
    *options: ORMOption,
) -> CursorPageResult[Any]:
    """Return one page of a statement by cursor, with entities instead of response schemas."""

    async def find(page: Select[Any]) -> list[Any]:
        result = await session.execute(page.options(*options))
        return list(result.unique() if has_entities(page) else result)

    return await paginate_keyset(find, query, statement, order)
