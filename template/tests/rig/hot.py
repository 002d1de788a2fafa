"""The short ways within the transaction of a test."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from app.kit.db.driver import Rows
from app.kit.db.hot import HotReads
from app.kit.db.hot_writes import HotWrites
from app.kit.db.session import Database
from tests.rig.constraints import check_constraints


class HotReadsOn(HotReads):
    """Runs the statements over the connection of a test, which alone sees its rows."""

    def __init__(self, connection: AsyncConnection) -> None:
        super().__init__(connection.engine)
        self.connection = connection

    async def fetch(self, sql: str, values: Sequence[Any]) -> Rows:
        return (await self.connection.exec_driver_sql(sql, tuple(values))).all()


class HotWritesOn(HotWrites):
    """Commits each statement into the transaction of a test."""

    def __init__(self, database: Database, connection: AsyncConnection) -> None:
        super().__init__(database)
        self.connection = connection

    async def fetch(self, sql: str, values: Sequence[Any]) -> Rows:
        async with self.connection.begin_nested():
            rows = (await self.connection.exec_driver_sql(sql, tuple(values))).all()
            await check_constraints(self.connection)
            return rows
