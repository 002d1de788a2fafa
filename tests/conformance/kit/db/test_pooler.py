"""PgBouncer in transaction mode: each transaction may use another server connection."""

from asyncio import TaskGroup

from fastapi import FastAPI
from sqlalchemy import NullPool, text

from app.kit.db.session import Database


async def test_engine_does_not_pool_connections(own_app: FastAPI) -> None:
    assert isinstance(own_app.state.database.engine.pool, NullPool)


async def test_concurrent_sessions_prepare_statements_without_conflicts(own_app: FastAPI) -> None:
    database: Database = own_app.state.database
    double = text("SELECT CAST(:number AS integer) * 2")
    found: set[int] = set()

    async def query(number: int) -> None:
        for _ in range(5):
            async with database.transaction() as session:
                found.add(await session.scalar(double, {"number": number}) or 0)

    async with TaskGroup() as tasks:
        for number in range(30):
            tasks.create_task(query(number))
    assert found == {number * 2 for number in range(30)}
