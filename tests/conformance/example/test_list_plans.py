"""A list reads the rows of a page in the order of an index: it neither sorts nor scans all rows."""

from collections.abc import Iterator
from typing import Any

import pytest
from httpx2 import AsyncClient
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.example.catalog.schemas import ProductSort
from app.example.posts.schemas import PostSort
from app.example.users.schemas import UserSort
from app.kit.db.session import Database

# Without parameters, a list has its default order.
DEFAULTS = ["/categories", "/orders", "/posts", "/products", "/tags", "/users"]
SORTED = [
    f"{path}?sort={sort.value}"
    for path, sorts in (("/posts", PostSort), ("/products", ProductSort), ("/users", UserSort))
    for sort in sorts
]


@pytest.mark.parametrize("path", DEFAULTS + SORTED)
async def test_list_reads_rows_in_the_order_of_an_index(
    client: AsyncClient, session: AsyncSession, database: Database, path: str
) -> None:
    sent: list[tuple[str, Any]] = []

    def record(_connection: Any, _cursor: Any, statement: str, values: Any, *_rest: Any) -> None:
        sent.append((statement, values))

    event.listen(database.engine.sync_engine, "before_cursor_execute", record)
    assert (await client.get(path)).status_code == 200
    event.remove(database.engine.sync_engine, "before_cursor_execute", record)

    statement, values = sent[0]
    # PostgreSQL prefers these for a small table.
    for setting in ("enable_seqscan", "enable_bitmapscan", "enable_sort"):
        await session.execute(text(f"SET LOCAL {setting} = off"))
    connection = await session.connection()
    explained = await connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", values)
    [plan] = explained.scalar_one()
    nodes = list(main_nodes(plan["Plan"]))
    # A unique column needs no index with the primary key: the rows before it are already in order.
    assert [node for node in nodes if node != "Incremental Sort"] == ["Limit", "Index Scan"], nodes


def main_nodes(plan: dict[str, Any]) -> Iterator[str]:
    """Yield the types of the nodes that read the rows of the page, without their relationships."""
    yield plan["Node Type"]
    for part in plan.get("Plans", []):
        if part["Parent Relationship"] not in {"InitPlan", "SubPlan"}:
            yield from main_nodes(part)
