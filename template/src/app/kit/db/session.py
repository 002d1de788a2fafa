"""Sessions and transactions: one request, one session, one transaction."""

from asyncio import timeout
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Self

import asyncpg
from fastapi import Depends, Request
from sqlalchemy import QueuePool
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from app.kit.db.base import Base
from app.kit.db.conflicts import driver_error, is_refusal
from app.kit.db.deletion import ServiceSession
from app.kit.db.driver import Rows, fetch, is_watched
from app.kit.db.engine import build_engine, build_reading_engine, read_only
from app.kit.db.settings import DatabaseSettings
from app.kit.db.unreadable import UnreadableValue
from app.kit.db.watching import Tell, slow_statements, watch
from app.kit.errors import OutcomeUnknown


@dataclass
class Counts:
    """What went wrong with units of work, in the life of the process."""

    retries: int = 0
    outcomes_unknown: int = 0


@dataclass(frozen=True)
class Database:
    """The engines and the sessions of a process."""

    engine: AsyncEngine
    # On the replica where one is set, else on the primary.
    reading_engine: AsyncEngine
    # On the primary in any case.
    fresh_engine: AsyncEngine
    sessions: async_sessionmaker[AsyncSession]
    counts: Counts = field(default_factory=Counts)

    @classmethod
    def open(cls, settings: DatabaseSettings, application_name: str, *tells: Tell) -> Self:
        """Build engines and sessions; nothing connects before the first use.

        Each of `tells` hears of every statement.
        """
        # An unsupported mapping fails at start-up, not in the first request.
        Base.registry.configure()
        engine = build_engine(settings, application_name)
        reading_engine = build_reading_engine(settings, application_name)
        fresh_engine = read_only(engine) if settings.replica_url else reading_engine
        sessions = async_sessionmaker(
            engine,
            sync_session_class=ServiceSession,
            # A response is written from the objects after the commit.
            expire_on_commit=False,
            # A session that was closed must raise, not silently connect again.
            close_resets_only=False,
        )
        database = cls(engine, reading_engine, fresh_engine, sessions)
        if settings.slow_query_ms is not None:
            tells = (*tells, slow_statements(settings.slow_query_ms))
        if tells:
            for name, pool in database.pools.items():
                watch(pool, name, tells)
        return database

    @property
    def pools(self) -> dict[str, AsyncEngine]:
        """The engines that keep connections, by what they are for."""
        return {"write": self.engine, "read": self.reading_engine}

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[AsyncSession]:
        """One unit of work: commits at the end, rolls back on any exception.

        Raises OutcomeUnknown where the connection breaks during the commit.
        """
        committing = False
        try:
            async with self.sessions() as session, session.begin():
                yield session
                await session.flush()
                # All is sent: only the COMMIT is left to fail.
                committing = True
        except DBAPIError as error:
            if committing and not is_refusal(error):
                self.counts.outcomes_unknown += 1
                raise OutcomeUnknown("The connection to the database was lost") from error
            raise

    def reading(self, *, fresh: bool = False) -> AbstractAsyncContextManager[AsyncSession]:
        """A session that PostgreSQL lets only read, each statement by itself; for `async with`.

        A replica is some moments behind: `fresh` reads what was just committed.
        """
        return self.sessions(bind=self.fresh_engine if fresh else self.reading_engine)

    async def fetch(self, sql: str, arguments: Sequence[Any]) -> Rows:
        """Run a read-only statement by itself, on a connection of the pool; return its rows."""
        engine = self.reading_engine
        if is_watched(engine):
            async with engine.connect() as connection:
                return (await connection.exec_driver_sql(sql, tuple(arguments))).all()
        return await fetch(engine, sql, arguments)

    async def fetch_committed(self, sql: str, arguments: Sequence[Any]) -> Rows:
        """Run a statement as a transaction of its own; its rows, once it is committed.

        Raises OutcomeUnknown if the connection breaks before the response of the server.
        """
        engine = self.engine
        # The driver sends two messages for a statement, which a pooler keeps together only within
        # a transaction.
        if is_watched(engine) or not isinstance(engine.pool, QueuePool):
            async with self.transaction() as session:
                connection = await session.connection()
                return (await connection.exec_driver_sql(sql, tuple(arguments))).all()
        try:
            return await fetch(engine, sql, arguments)
        except UnreadableValue as error:
            raise OutcomeUnknown("The row that was returned cannot be represented") from error
        except DBAPIError as error:
            # The driver cannot read the returned row if a composite type has changed.
            unread = isinstance(driver_error(error), asyncpg.OutdatedSchemaCacheError)
            if error.connection_invalidated or unread:
                self.counts.outcomes_unknown += 1
                raise OutcomeUnknown("The response of the database was lost") from error
            raise

    @asynccontextmanager
    async def snapshot(self) -> AsyncGenerator[AsyncSession]:
        """A session that PostgreSQL lets only read, all of it as of one moment.

        It is one transaction, as a cursor of the server needs it.
        """
        async with self.reading() as session:
            one_moment = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
            await session.connection(execution_options=one_moment)
            yield session

    async def close(self) -> None:
        """Close every connection; a server that no longer answers is not waited for."""
        with suppress(TimeoutError):
            async with timeout(5):
                await self.engine.dispose()
                await self.reading_engine.dispose()


def database_of(request: Request) -> Database:
    """The database that the lifespan opened for this application."""
    database: Database = request.app.state.database
    return database


async def request_session(request: Request) -> AsyncGenerator[AsyncSession]:
    """The session of a request, committed once the endpoint has returned."""
    async with database_of(request).transaction() as session:
        yield session


async def reading_database(request: Request) -> Database:
    """The database as a request reads it.

    A client that must see what it has just written asks for it as it would ask any cache on the
    way: with `Cache-Control: no-cache`.
    """
    database = database_of(request)
    fresh = "no-cache" in request.headers.get("cache-control", "")
    return replace(database, reading_engine=database.fresh_engine) if fresh else database


# For an endpoint that reads and writes with views, or opens sessions of its own: several at once,
# one for a stream, one for each attempt of a retried transaction.
DatabaseDep = Annotated[Database, Depends(reading_database)]
ReadDatabaseDep = DatabaseDep


async def reading_session(request: Request) -> AsyncGenerator[AsyncSession]:
    """The session of a request that only reads."""
    # Called, not depended on: FastAPI takes longer to solve a dependency than this takes to run.
    database = await reading_database(request)
    async with database.reading() as session:
        yield session


# Function scope commits before the response leaves: a commit that fails is seen by the client.
# Use these aliases everywhere, one of them a request: the same dependency in two scopes, or both
# dependencies, would be two sessions.
SessionDep = Annotated[AsyncSession, Depends(request_session, scope="function")]
ReadSessionDep = Annotated[AsyncSession, Depends(reading_session, scope="function")]
