"""Count the rows that PostgreSQL scans for a query."""

from collections.abc import Awaitable
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession

from app.kit.db.session import Database


async def count_rows_scanned(
    database: Database, session: AsyncSession, table: str, read: Awaitable[object]
) -> int:
    """Return how many rows of a table the statements of `read` scan."""
    sent: list[tuple[str, Any]] = []

    def record(_connection: Any, _cursor: Any, statement: str, values: Any, *_rest: Any) -> None:
        sent.append((f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", values))

    event.listen(database.engine.sync_engine, "before_cursor_execute", record)
    await read
    event.remove(database.engine.sync_engine, "before_cursor_execute", record)
    connection = await session.connection()
    plans = [(await connection.exec_driver_sql(*each)).scalar_one() for each in sent]
    return sum(_rows_scanned(plan["Plan"], table) for (plan,) in plans)


def _rows_scanned(node: dict[str, Any], table: str) -> int:
    below = sum(_rows_scanned(child, table) for child in node.get("Plans", []))
    if node.get("Relation Name") != table:
        return below
    each = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
    return below + int(each * node["Actual Loops"])
