"""A `Database` inside the test's transaction, which is rolled back."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, fields
from typing import Any, Self

from asyncpg import ReadOnlySQLTransactionError
from sqlalchemy import ExceptionContext, event, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from app.kit.db.connections.asyncpg_driver import Rows
from app.kit.db.session import Database
from tests.support.authentication import set_caller


@dataclass(frozen=True)
class RolledBackDatabase(Database):
    """Commits into the transaction of one connection and reads from it.

    Each request has its own session, as in production, and a read-only session cannot write.
    """

    connection: AsyncConnection = field(kw_only=True)

    @classmethod
    def of(cls, database: Database, connection: AsyncConnection) -> Self:
        """Return a copy of `database` that sends every statement over this connection."""
        event.listen(database.engine.sync_engine, "handle_error", _keep_connection)
        kept = {each.name: getattr(database, each.name) for each in fields(Database)}
        return cls(**kept, connection=connection)

    def _session(self) -> AsyncSession:
        return self.sessions(bind=self.connection, join_transaction_mode="create_savepoint")

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[AsyncSession]:
        async with self._session() as session, session.begin():
            await set_caller(self.connection)
            yield session
            await session.flush()
            await check_constraints(self.connection)

    @asynccontextmanager
    async def _reading(self) -> AsyncGenerator[AsyncSession]:
        async with self._session() as session:
            # Applies until this session's savepoint is rolled back.
            await session.execute(text("SET TRANSACTION READ ONLY"))
            yield session

    def reading(self, *, fresh: bool = False) -> AbstractAsyncContextManager[AsyncSession]:
        return self._reading()

    @asynccontextmanager
    async def snapshot(self) -> AsyncGenerator[AsyncSession]:
        message = "A snapshot needs its own transaction. Use `committing_client` in this test."
        raise NotImplementedError(message)
        yield  # makes the function a generator, as in `Database`

    async def fetch(self, sql: str, arguments: Sequence[Any]) -> Rows:
        return (await self.connection.exec_driver_sql(sql, tuple(arguments))).all()

    async def fetch_committed(self, sql: str, arguments: Sequence[Any]) -> Rows:
        async with self.connection.begin_nested():
            rows = (await self.connection.exec_driver_sql(sql, tuple(arguments))).all()
            await check_constraints(self.connection)
            return rows


def _keep_connection(context: ExceptionContext) -> None:
    # In production, the write engine replaces a connection that rejects writes.
    if isinstance(context.original_exception.__cause__, ReadOnlySQLTransactionError):
        context.is_disconnect = False


async def check_constraints(connection: AsyncConnection) -> None:
    """Raise the error that a commit would raise for a violated deferred constraint.

    A test's transaction always rolls back, so PostgreSQL never checks them at commit.
    """
    async with connection.begin_nested() as savepoint:
        await connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
        # Deferred again: the next request may violate a constraint until its own commit.
        await savepoint.rollback()
