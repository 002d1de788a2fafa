"""The database and the session of a request or a WebSocket, as FastAPI dependencies."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Annotated

from fastapi import Depends
from fastapi.requests import HTTPConnection
from sqlalchemy.ext.asyncio import AsyncSession

from app.kit.db.session import Database


def get_database(request: HTTPConnection) -> Database:
    """Return the database that the lifespan of the application opened.

    Like the dependencies below, it accepts a request or a WebSocket.
    """
    database: Database = request.app.state.database
    return database


async def get_session(request: HTTPConnection) -> AsyncGenerator[AsyncSession]:
    """Yield the session of a request. Commit after the endpoint returns."""
    async with get_database(request).transaction() as session:
        yield session


async def get_read_database(request: HTTPConnection) -> Database:
    """Return the database of a request.

    Reads use the replica if one is configured. A client that must read its own writes sends
    `Cache-Control: no-cache`, and then reads use the primary.
    """
    database = get_database(request)
    # Without `request.headers`, which decodes all headers.
    headers = request.scope["headers"]
    fresh = any(
        name == b"cache-control" and b"no-cache" in value.lower() for name, value in headers
    )
    return replace(database, read_engine=database.primary_read_engine) if fresh else database


# For endpoints that use views, or that open sessions: concurrent reads, streams and retries.
DatabaseDep = Annotated[Database, Depends(get_read_database)]


async def get_read_session(request: HTTPConnection) -> AsyncGenerator[AsyncSession]:
    """Yield a read-only session for a request."""
    # A direct call is faster than another dependency.
    database = await get_read_database(request)
    async with database.reading() as session:
        yield session


# With scope="function", the commit runs before the response is sent, so that a failed commit
# becomes an error response. Use only one of these aliases per request. Two aliases, or the same
# dependency in another scope, would open two sessions.
SessionDep = Annotated[AsyncSession, Depends(get_session, scope="function")]
ReadSessionDep = Annotated[AsyncSession, Depends(get_read_session, scope="function")]
