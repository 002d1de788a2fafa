"""The database within the transaction of a test, which is rolled back."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, fields
from typing import Any, Self

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from app.kit.db.driver import Rows
from app.kit.db.session import Database
from tests.rig.constraints import check_constraints


@dataclass(frozen=True)
class RolledBackDatabase(Database):
    """Commits into the transaction of a connection, and reads what was committed there.

    Sessions are as in production: each request has one of its own, and one that only reads cannot
    write.
    """

    connection: AsyncConnection = field(kw_only=True)

    @classmethod
    def of(cls, database: Database, connection: AsyncConnection) -> Self:
        """Return the database with all its statements on this connection."""
        kept = {each.name: getattr(database, each.name) for each in fields(Database)}
        return cls(**kept, connection=connection)

    def _session(self) -> AsyncSession:
        return self.sessions(bind=self.connection, join_transaction_mode="create_savepoint")

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[AsyncSession]:
        async with self._session() as session, session.begin():
            yield session
            await session.flush()
            await check_constraints(self.connection)

    @asynccontextmanager
    async def _reading(self) -> AsyncGenerator[AsyncSession]:
        async with self._session() as session:
            # It holds until the savepoint of this session is undone.
            await session.execute(text("SET TRANSACTION READ ONLY"))
            yield session

    def reading(self, *, fresh: bool = False) -> AbstractAsyncContextManager[AsyncSession]:
        return self._reading()

    async def fetch(self, sql: str, arguments: Sequence[Any]) -> Rows:
        return (await self.connection.exec_driver_sql(sql, tuple(arguments))).all()

    async def fetch_committed(self, sql: str, arguments: Sequence[Any]) -> Rows:
        async with self.connection.begin_nested():
            rows = (await self.connection.exec_driver_sql(sql, tuple(arguments))).all()
            await check_constraints(self.connection)
            return rows
