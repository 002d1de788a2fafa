"""Whether the service can do its work: its databases answer and have the schema it needs.

However many ask, one look a second is made at most. It has a connection of its own, so that
requests neither wait for it nor make it fail: a service under load is not taken for a broken one.
"""

import asyncio
from contextlib import suppress
from time import monotonic

import structlog
from fastapi import FastAPI
from sqlalchemy.exc import SQLAlchemyError, StatementError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.kit.db.engine import build_probe_engine
from app.kit.db.schema_state import (
    Revisions,
    RevisionsHidden,
    applied_revisions,
    named,
    pending_migrations,
)
from app.kit.db.settings import DatabaseSettings
from app.kit.db.undefined import missing_migration
from app.kit.db.waiting import network_refusal
from app.kit.errors import Problem, Unavailable

# Seconds. A database that accepts and never answers is one that is away.
PATIENCE = 1.5
LIFETIME = 1.0

_log = structlog.get_logger(__name__)


class Readiness:
    """What stands in the way of serving, asked of each database."""

    def __init__(self, settings: DatabaseSettings, name: str, revisions: Revisions) -> None:
        self._engines = {"database": build_probe_engine(settings, name)}
        if settings.replica_url:
            at = settings.model_copy(update={"url": settings.replica_url})
            self._engines["replica"] = build_probe_engine(at, name)
        self.name = name
        self._revisions = revisions
        self._told: dict[str, tuple[str, str]] = {}
        self._pending: str | None = None
        self._look: asyncio.Task[str | None] | None = None
        self._looked_at = -LIFETIME

    async def check(self) -> None:
        """Return where the service is ready, else raise Unavailable; at most a second old."""
        if self._look is None or (self._look.done() and monotonic() - self._looked_at >= LIFETIME):
            self._look = asyncio.create_task(self._obstacle())
        # Who asks may go away; the others still wait for the same look.
        if obstacle := await asyncio.shield(self._look):
            raise Unavailable(obstacle)

    async def pending_migrations(self) -> str | None:
        """Return the message about pending migrations, or None; at most a second old."""
        with suppress(Unavailable):
            await self.check()
        return self._pending

    async def tell(self) -> None:
        """Log what is there at start-up. What is not is no reason not to start."""
        if obstacle := await self._obstacle():
            _log.warning(f"not ready: {obstacle}")

    async def close(self) -> None:
        """Give up a look that is under way."""
        if self._look and not self._look.done():
            self._look.cancel()
            await asyncio.wait([self._look], timeout=PATIENCE)

    async def _obstacle(self) -> str | None:
        self._pending = None
        try:
            looks = [self._of(server, engine) for server, engine in self._engines.items()]
            found = [obstacle for obstacle in await asyncio.gather(*looks) if obstacle]
            return " ".join(found) or None
        finally:
            self._looked_at = monotonic()

    async def _of(self, server: str, engine: AsyncEngine) -> str | None:
        # Not awaited itself: to give up a connection that hangs may hang as well.
        asking = asyncio.create_task(_applied(engine))
        await asyncio.wait([asking], timeout=PATIENCE)
        if not asking.done():
            asking.cancel()
            return f"The {server} does not answer."
        try:
            applied = asking.result()
        except RevisionsHidden:
            return f"The {server} does not let this role read alembic_version: grant SELECT."
        except Unavailable as error:
            reason = network_refusal(error.__cause__).reason
            return f"The {server} cannot be reached: {reason}."
        except (SQLAlchemyError, OSError):
            return f"The {server} cannot be reached."
        is_at, needed = named(applied), named(self._revisions.heads)
        if (is_at, needed) != self._told.get(server):
            self._told[server] = is_at, needed
            _log.info("schema", server=server, is_at=is_at, needed=needed)
        if self._revisions.fit(applied):
            return None
        self._pending = pending_migrations(server, applied, self._revisions.heads, self.name)
        return self._pending


async def migration_problem_of(app: FastAPI, error: StatementError) -> Problem | None:
    """Log and return the problem that a migration is pending or missing; None for another error."""
    readiness: Readiness | None = getattr(app.state, "readiness", None)
    if readiness is None:
        return None
    if pending := await readiness.pending_migrations():
        _log.error(pending)
        return Unavailable(pending)
    if missing := missing_migration(error, readiness.name):
        _log.error(missing)
        return Problem("The database lacks a table or a column; the log names it.")
    return None


async def _applied(engine: AsyncEngine) -> frozenset[str]:
    async with engine.connect() as connection:
        return await applied_revisions(connection)
