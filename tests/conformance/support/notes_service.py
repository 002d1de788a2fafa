"""A service whose requests write two rows each, behind a proxy that can break its connections."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import asyncpg
from anyio import fail_after, sleep
from fastapi import FastAPI
from httpx2 import AsyncClient, Response
from sqlalchemy import URL, QueuePool, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from app.kit.db.session import Database
from app.kit.http.dependencies import DatabaseDep, SessionDep
from app.kit.writes.transactions import run_with_retry
from app.main import create_app
from tests.conformance.support.tcp_proxy import TcpProxy, direct_connection, tcp_proxy
from tests.support.app import client_of, running
from tests.support.database import settings_with

# The ways in which an endpoint writes a note.
KINDS = ["session", "retrying", "compiled"]
INSERT = text("INSERT INTO kit_notes VALUES (:number, 1)")
BOTH = "INSERT INTO kit_notes VALUES ($1, 1), ($1, 2) RETURNING number"
# Without a primary key or unique constraint, a duplicate row becomes visible.
TABLES = """
    CREATE TABLE kit_notes (number int NOT NULL, part int NOT NULL);
    CREATE TABLE kit_unique (number int UNIQUE DEFERRABLE INITIALLY DEFERRED);
    CREATE TABLE kit_late (statement text);
    CREATE FUNCTION kit_execute() RETURNS trigger LANGUAGE plpgsql
        AS 'BEGIN EXECUTE NEW.statement; RETURN NULL; END';
    CREATE CONSTRAINT TRIGGER kit_execute AFTER INSERT ON kit_late
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION kit_execute();
"""


class Own(DeclarativeBase):
    """Base of the tables of these tests, outside the service's own metadata."""


class Part(Own):
    """One of the two rows of a note."""

    __tablename__ = "kit_notes"
    number: Mapped[int] = mapped_column(primary_key=True)
    part: Mapped[int] = mapped_column(primary_key=True)


async def write(number: int, session: AsyncSession, between: list[str] | None = None) -> None:
    """Write both rows of a note: one now, the other at the flush before the commit."""
    await session.execute(INSERT, {"number": number})
    for statement in between or []:
        await session.execute(text(statement))
        await sleep(0.01)
    session.add(Part(number=number, part=2))


@dataclass(frozen=True)
class NotesService:
    """The service, a client of it, and a database connection without the proxy."""

    app: FastAPI
    client: AsyncClient
    proxy: TcpProxy
    observer: "asyncpg.Connection[Any]"
    # The number of the next note.
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def database(self) -> Database:
        """The `Database` of the service."""
        found: Database = self.app.state.database
        return found

    async def stored(self, number: int) -> int:
        """Return how many rows of a note are committed."""
        count = "SELECT count(*) FROM kit_notes WHERE number = $1"
        found: int = await self.observer.fetchval(count, number)
        return found

    async def assert_truthful(self, number: int, response: Response) -> None:
        """Fail if the response to a note contradicts the committed rows."""
        assert await self.stored(number) in _possible_rows(response), response.text

    async def assert_usable(self) -> None:
        """Fail if a connection is missing from the pool, or if the next request fails."""
        await self.proxy.settle()
        pool = self.database.engine.pool
        assert isinstance(pool, QueuePool)
        with fail_after(5):
            # A cancelled task does not wait until its connection is back in the pool.
            while pool.checkedout():  # noqa: ASYNC110 - the pool sends no event
                await sleep(0.001)
        assert (await self.client.post("/kit/session/0")).status_code == 201
        assert await self.stored(0) == 2
        await self.observer.execute("DELETE FROM kit_notes WHERE number = 0")


def _possible_rows(response: Response) -> set[int]:
    """Return how many rows of a note the response allows."""
    if response.status_code == 201:
        return {2}
    if response.status_code == 503 and "Retry-After" not in response.headers:
        assert "may or may not" in response.json()["detail"]
        return {0, 2}
    if response.status_code == 503:
        assert "rolled back" in response.json()["detail"]
    return {0}


@asynccontextmanager
async def notes_on(url: URL) -> AsyncGenerator[NotesService]:
    """Start the service on a database with its own tables and endpoints."""
    async with tcp_proxy(url) as proxy, direct_connection(url, url.database) as observer:
        await observer.execute(TABLES)
        app = create_app(settings_with(proxy.url, pooler="none", pool_size=2, max_overflow=0))

        @app.post("/kit/session/{number}", status_code=201)
        async def write_in_request_session(
            number: int, session: SessionDep, between: list[str] | None = None
        ) -> None:
            await write(number, session, between)

        @app.post("/kit/retrying/{number}", status_code=201)
        async def write_with_retry(number: int, database: DatabaseDep) -> None:
            await run_with_retry(database, lambda session: write(number, session))

        @app.post("/kit/compiled/{number}", status_code=201)
        async def write_in_one_statement(number: int, db: DatabaseDep) -> None:
            await db.fetch_committed(BOTH, [number])

        async with running(app), client_of(app) as client:
            yield NotesService(app, client, proxy, observer)
