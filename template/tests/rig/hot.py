"""Hot reads within the transaction of a test."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from app.kit.db.hot import HotReads, Rows


class HotReadsOn(HotReads):
    """Runs the statements over the connection of a test, which alone sees its rows."""

    def __init__(self, connection: AsyncConnection) -> None:
        super().__init__(connection.engine)
        self.connection = connection

    async def fetch(self, sql: str, values: Sequence[Any]) -> Rows:
        return (await self.connection.exec_driver_sql(sql, tuple(values))).all()
