"""A service with observability, whose endpoints reach the database in every way."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI
from pydantic import BaseModel
from sqlalchemy import URL, Float, Text, bindparam, cast, func, select, text

from app.kit.db.deletion import exclude_deleted
from app.kit.http.dependencies import DatabaseDep, ReadSessionDep, SessionDep
from app.kit.queries.compiled.statement_cache import StatementCache
from app.kit.writes.transactions import run_with_retry
from app.main import create_app
from app.settings import Settings
from tests.support.app import running
from tests.support.database import settings_with

SESSION_READ = "/kit/paths/session-read"
COMPILED_READ = "/kit/paths/compiled-read"
COMPILED_WRITE = "/kit/paths/compiled-write"
PATHS = [SESSION_READ, COMPILED_READ, COMPILED_WRITE]

RAISE = "DO $$ BEGIN RAISE EXCEPTION 'lost' USING ERRCODE = '40001'; END $$"
BREAK = "SELECT pg_terminate_backend(pg_backend_pid())"


class Echo(BaseModel):
    echo: str | None


def _sleeping(value: Any) -> Any:
    # Only the server sees a constant here, so the value is not in the statement's text.
    slept = func.pg_sleep(bindparam("seconds", type_=Float))
    return select(cast(value, Text).label("echo")).where(slept.is_not(None))


STATEMENT = _sleeping(bindparam("value", type_=Text))
STATEMENTS = StatementCache()


def routes() -> APIRouter:
    """Return the endpoints, to be included under a prefix."""
    router = APIRouter(prefix="/paths")

    @router.get("/session-read/{value}", response_model=Echo)
    async def session_read(session: ReadSessionDep, value: str, seconds: float = 0) -> Any:
        found = await session.execute(STATEMENT, {"value": value, "seconds": seconds})
        return found.mappings().one()

    @router.get("/compiled-read/{value}", response_model=Echo)
    async def compiled_read(db: DatabaseDep, value: str, seconds: float = 0) -> Any:
        values = {"value": value, "seconds": seconds}
        (row,) = await STATEMENTS.read(db, STATEMENT, exclude_deleted, values)
        return row

    @router.get("/compiled-write/{value}")
    async def compiled_write(db: DatabaseDep, value: str, seconds: float = 0) -> None:
        await db.fetch_committed("SELECT $1::text WHERE pg_sleep($2) IS NOT NULL", [value, seconds])

    @router.put("/written/{value}")
    async def written(session: SessionDep, value: str) -> None:
        await session.execute(text("SELECT set_config('kit.echo', :value, true)"), {"value": value})

    @router.get("/wrong/{value}")
    async def wrong(db: DatabaseDep, value: str) -> None:
        await db.fetch("SELECT $1::text::integer", [value])

    @router.put("/retried")
    async def retried(database: DatabaseDep) -> None:
        attempts = iter([RAISE, "SELECT 1"])

        async def work(session: Any) -> None:
            await session.execute(text(next(attempts)))

        await run_with_retry(database, work)

    @router.put("/broken")
    async def broken(db: DatabaseDep) -> None:
        await db.fetch_committed(BREAK, [])

    return router


def observed_settings(url: URL, **database: object) -> Settings:
    """Return settings with one connection each for writes and reads."""
    pool = {"pool_size": 1, "max_overflow": 0, "pool_pre_ping": False}
    return settings_with(url, pooler="none", **pool, **database)


@asynccontextmanager
async def observed_service(settings: Settings) -> AsyncGenerator[FastAPI]:
    """Start the service, and shut it down at the end."""
    app = create_app(settings)
    app.include_router(routes(), prefix="/kit")
    async with running(app):
        yield app


async def deliver_driver_events() -> None:
    """Let the event loop deliver pending notifications of the driver."""
    await asyncio.sleep(0.01)
