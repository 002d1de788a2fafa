"""Sessions and transactions: one session and one transaction per request."""

from asyncio import gather, timeout
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Self

from sqlalchemy import QueuePool, event, inspect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker
from sqlalchemy.orm import MANYTOONE, PassiveFlag, Session
from sqlalchemy.orm.attributes import get_history, set_committed_value
from sqlalchemy.util import greenlet_spawn

from app.kit.db.base import Base
from app.kit.db.connections.asyncpg_driver import Rows, fetch, has_listeners
from app.kit.db.connections.asyncpg_types import UnreadableValue
from app.kit.db.deletion import SyncSession
from app.kit.db.engine import build_engine, build_read_engine, read_only
from app.kit.db.settings import DatabaseSettings
from app.kit.errors.database_errors import is_server_error
from app.kit.errors.problems import CommitOutcomeUnknown
from app.kit.observability.statement_events import (
    StatementListener,
    attach_listeners,
    slow_statements,
)


@dataclass
class TransactionStats:
    """Counters of transactions since the start of the process."""

    retries: int = 0
    outcomes_unknown: int = 0


@dataclass(frozen=True)
class Database:
    """The engines and the sessions of a process."""

    engine: AsyncEngine
    # Connects to the replica if one is configured, otherwise to the primary.
    read_engine: AsyncEngine
    # Read-only, always on the primary.
    primary_read_engine: AsyncEngine
    sessions: async_sessionmaker[AsyncSession]
    counts: TransactionStats = field(default_factory=TransactionStats)

    @classmethod
    def open(
        cls, settings: DatabaseSettings, application_name: str, *listeners: StatementListener
    ) -> Self:
        """Create the engines and the session factory. The first query opens a connection.

        `listeners` are called after every statement.
        """
        # Raises errors in the mapping of models at startup, not in the first request.
        Base.registry.configure()
        engine = build_engine(settings, application_name)
        read_engine = build_read_engine(settings, application_name)
        primary_read_engine = read_only(engine) if settings.replica_url else read_engine
        sessions = async_sessionmaker(
            engine,
            sync_session_class=SyncSession,
            # Responses are serialized from the objects after the commit.
            expire_on_commit=False,
            # A closed session raises instead of opening a new connection.
            close_resets_only=False,
        )
        database = cls(engine, read_engine, primary_read_engine, sessions)
        if settings.slow_query_ms is not None:
            listeners = (*listeners, slow_statements(settings.slow_query_ms))
        if listeners:
            for name, pool in database.pools.items():
                attach_listeners(pool, name, listeners)
        return database

    @property
    def pools(self) -> dict[str, AsyncEngine]:
        """The engines that have a connection pool, by the name of the pool."""
        return {"write": self.engine, "read": self.read_engine}

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[AsyncSession]:
        """Open a session in a transaction. Commit at the end, or roll back on an exception.

        Raises CommitOutcomeUnknown if the connection drops during the commit.
        """
        session = self.sessions()
        sync = session.sync_session
        # Not a `with` block: leaving it must run in a greenlet. The first statement sends BEGIN.
        transaction = sync.begin().__enter__()
        is_committing = False

        def commit() -> None:
            nonlocal is_committing
            sync.flush()
            # After the flush, only COMMIT can fail.
            is_committing = True
            transaction.__exit__(None, None, None)
            sync.close()

        try:
            yield session
            # Flush, commit and close in one greenlet, which is faster than one for each.
            await greenlet_spawn(commit)
        except BaseException as error:
            async with session:
                await greenlet_spawn(transaction.__exit__, type(error), error, error.__traceback__)
            lost = isinstance(error, DBAPIError) and not is_server_error(error)
            if is_committing and lost:
                raise self._outcome_unknown("The connection to the database was lost") from error
            raise

    def reading(self, *, fresh: bool = False) -> AbstractAsyncContextManager[AsyncSession]:
        """Return a read-only session, for use with `async with`.

        It is in autocommit mode, or behind PgBouncer in a READ ONLY transaction. It reads from the
        replica if one is configured, which lags behind the primary. `fresh` is removed in 0.14.
        """
        return self.sessions(bind=self.primary_read_engine if fresh else self.read_engine)

    async def fetch(self, sql: str, arguments: Sequence[Any]) -> Rows:
        """Run a single read-only statement in autocommit mode, and return its rows."""
        engine = self.read_engine
        if has_listeners(engine):
            async with engine.connect() as connection:
                return (await connection.exec_driver_sql(sql, tuple(arguments))).all()
        return await fetch(engine, sql, arguments)

    async def fetch_committed(self, sql: str, arguments: Sequence[Any]) -> Rows:
        """Run a single statement in its own transaction. Return its rows after the commit.

        Raises CommitOutcomeUnknown if the connection drops before the server responds.
        """
        engine = self.engine
        # SQLAlchemy calls the listeners. Without a QueuePool, PgBouncer is in use: outside a
        # transaction, it may send the two messages of a statement on different connections.
        if has_listeners(engine) or not isinstance(engine.pool, QueuePool):
            async with self.transaction() as session:
                connection = await session.connection()
                return (await connection.exec_driver_sql(sql, tuple(arguments))).all()
        try:
            return await fetch(engine, sql, arguments)
        except UnreadableValue as error:
            message = "The returned row has a value that Python cannot read"
            raise self._outcome_unknown(message) from error
        except DBAPIError as error:
            if error.connection_invalidated:
                raise self._outcome_unknown("The response of the database was lost") from error
            raise

    def _outcome_unknown(self, message: str) -> CommitOutcomeUnknown:
        self.counts.outcomes_unknown += 1
        return CommitOutcomeUnknown(message)

    @asynccontextmanager
    async def snapshot(self) -> AsyncGenerator[AsyncSession]:
        """Open a read-only session in one REPEATABLE READ transaction.

        All statements see the same snapshot. Server-side cursors need such a transaction.
        """
        async with self.reading() as session:
            options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
            await session.connection(execution_options=options)
            yield session

    async def close(self) -> None:
        """Close every connection. Stop waiting for an unresponsive server after 5 seconds."""
        await gather(_close(self.engine), _close(self.read_engine))


async def _close(engine: AsyncEngine) -> None:
    with suppress(TimeoutError):
        async with timeout(5):
            await engine.dispose()


@event.listens_for(SyncSession, "before_flush")
def _load_parents(session: Session, *_context: object) -> None:
    # A flush reads the parents of deleted rows, to delete the rows of a tree in order. This would
    # fail with a lazy strategy that raises, so load the parents before.
    for record in session.deleted:
        state = inspect(record)
        for relationship in state.mapper.relationships:
            key = relationship.key
            is_parent = relationship.direction is MANYTOONE and key in state.unloaded
            if is_parent and relationship.mapper.common_parent(state.mapper):
                get_history(record, key, PassiveFlag.PASSIVE_OFF | PassiveFlag.NO_RAISE)
                if key in state.unloaded:
                    # This session added the row, without a parent: there is nothing to load.
                    set_committed_value(record, key, None)
