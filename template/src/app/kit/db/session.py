"""Sessions and transactions: one request, one session, one transaction."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Self

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

from app.kit.db.engine import build_engine
from app.kit.db.settings import DatabaseSettings


class ServiceSession(Session):
    """The session below every `AsyncSession` of the service; its events attach here."""


@dataclass(frozen=True)
class Database:
    """The engine and the sessions of a process."""

    engine: AsyncEngine
    sessions: async_sessionmaker[AsyncSession]

    @classmethod
    def open(cls, settings: DatabaseSettings, application_name: str) -> Self:
        """Build engine and sessions; nothing connects before the first use."""
        engine = build_engine(settings, application_name)
        sessions = async_sessionmaker(
            engine,
            sync_session_class=ServiceSession,
            # A response is written from the objects after the commit.
            expire_on_commit=False,
            # A session that was closed must raise, not silently connect again.
            close_resets_only=False,
        )
        return cls(engine, sessions)

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[AsyncSession]:
        """One unit of work: commits at the end, rolls back on any exception."""
        async with self.sessions.begin() as session:
            yield session

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()


def database_of(request: Request) -> Database:
    """The database that the lifespan opened for this application."""
    database: Database = request.app.state.database
    return database


async def request_session(request: Request) -> AsyncGenerator[AsyncSession]:
    """The session of a request, committed once the endpoint has returned."""
    async with database_of(request).transaction() as session:
        yield session


# Function scope commits before the response leaves: a commit that fails is seen by the client.
# Use this alias everywhere; the same dependency in two scopes would be two sessions.
SessionDep = Annotated[AsyncSession, Depends(request_session, scope="function")]
