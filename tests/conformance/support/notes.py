"""A service whose requests write two rows each, over a line to the database that may break."""

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

from app.kit.db.retry import DatabaseDep, retrying
from app.kit.db.session import Database, SessionDep
from app.main import create_app
from tests.conformance.support.line import Line, connected, line_to
from tests.rig.app import client_of, running
from tests.rig.database import settings_with

# How a request of these tests may write.
KINDS = ["session", "retrying", "hot"]
INSERT = text("INSERT INTO kit_notes VALUES (:number, 1)")
BOTH = "INSERT INTO kit_notes VALUES ($1, 1), ($1, 2) RETURNING number"
# No key forbids a row to be there twice: so it would be seen.
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
    """The tables of these tests; the service's own metadata knows nothing of them."""


class Part(Own):
    """One of the two rows of a note."""

    __tablename__ = "kit_notes"
    number: Mapped[int] = mapped_column(primary_key=True)
    part: Mapped[int] = mapped_column(primary_key=True)


async def write(number: int, session: AsyncSession, between: list[str] | None = None) -> None:
    """Write both rows of a note: one now, the other when the transaction is about to end."""
    await session.execute(INSERT, {"number": number})
    for statement in between or []:
        await session.execute(text(statement))
        await sleep(0.01)
    session.add(Part(number=number, part=2))


@dataclass(frozen=True)
class Notes:
    """The service, a client of it, and somebody who looks on without the line."""

    app: FastAPI
    client: AsyncClient
    line: Line
    onlooker: "asyncpg.Connection[Any]"
    # One for each note that a test writes.
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def database(self) -> Database:
        """The database of the service."""
        found: Database = self.app.state.database
        return found

    async def stored(self, number: int) -> int:
        """How many rows of a note others can see."""
        count = "SELECT count(*) FROM kit_notes WHERE number = $1"
        found: int = await self.onlooker.fetchval(count, number)
        return found

    async def assert_told(self, number: int, answer: Response) -> None:
        """Fail where the answer to a note says other than what is stored."""
        assert await self.stored(number) in _what_is_told(answer), answer.text

    async def assert_well(self) -> None:
        """Fail where a connection did not come back, or the next request does not work."""
        await self.line.settle()
        pool = self.database.engine.pool
        assert isinstance(pool, QueuePool)
        with fail_after(5):
            # Who is cancelled while it gives one back does not wait for it.
            while pool.checkedout():  # noqa: ASYNC110 - the pool sends no event
                await sleep(0.001)
        assert (await self.client.post("/kit/session/0")).status_code == 201
        assert await self.stored(0) == 2
        await self.onlooker.execute("DELETE FROM kit_notes WHERE number = 0")


def _what_is_told(answer: Response) -> set[int]:
    """How many rows of a note there may be after an answer."""
    if answer.status_code == 201:
        return {2}
    if answer.status_code == 503 and "Retry-After" not in answer.headers:
        assert "may or may not" in answer.json()["detail"]
        return {0, 2}
    if answer.status_code == 503:
        assert "Nothing was stored" in answer.json()["detail"]
    return {0}


@asynccontextmanager
async def notes_on(url: URL) -> AsyncGenerator[Notes]:
    """The service on a database, with tables and routes of its own."""
    async with line_to(url) as line, connected(url, url.database) as onlooker:
        await onlooker.execute(TABLES)
        app = create_app(settings_with(line.url, pooler="none", pool_size=2, max_overflow=0))

        @app.post("/kit/session/{number}", status_code=201)
        async def in_the_session_of_the_request(
            number: int, session: SessionDep, between: list[str] | None = None
        ) -> None:
            await write(number, session, between)

        @app.post("/kit/retrying/{number}", status_code=201)
        async def in_a_session_of_its_own(number: int, database: DatabaseDep) -> None:
            await retrying(database, lambda session: write(number, session))

        @app.post("/kit/hot/{number}", status_code=201)
        async def in_one_statement(number: int, db: DatabaseDep) -> None:
            await db.fetch_committed(BOTH, [number])

        async with running(app), client_of(app) as client:
            yield Notes(app, client, line, onlooker)
