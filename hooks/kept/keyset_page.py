"""Pages by cursor of any statement, which 0.10.0 removes. Replace it with `View.feed`."""

from typing import Any, TypeVar

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.base import ExecutableOption

from app.kit.queries.keyset import paginate_keyset
from app.kit.queries.pagination import CursorPageResult, CursorQuery
from app.kit.queries.sorting import SortOrder

T = TypeVar("T")


async def keyset_page(
    session: AsyncSession,
    query: CursorQuery,
    statement: Select[T],
    order: SortOrder,
    *options: ExecutableOption,
) -> CursorPageResult[T]:
    """Return one page of a statement. See `paginate_keyset`."""

    async def find(page: Select[Any]) -> list[Any]:
        result: Any = await session.execute(page.options(*options))
        columns = page.column_descriptions
        # A joined eager load of a collection repeats the rows of an entity.
        has_entities = any(each["expr"] is each.get("entity") for each in columns)
        return list(result.unique() if has_entities else result)

    return await paginate_keyset(find, query, statement, order)
