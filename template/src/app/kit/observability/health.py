"""Health check endpoints."""

import asyncio
from contextlib import suppress
from time import monotonic

import structlog
from fastapi import APIRouter, FastAPI, Request
from sqlalchemy.exc import DBAPIError, SQLAlchemyError, StatementError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.kit.db.connections.startup_checks import network_failure
from app.kit.db.engine import build_probe_engine
from app.kit.db.settings import DatabaseSettings
from app.kit.errors.database_errors import driver_error, missing_migration
from app.kit.errors.problems import Problem, Unavailable, problem_responses
from app.kit.http.schemas import ResponseModel
from app.kit.migrations.runner import (
    CodeRevisions,
    RevisionTableUnreadable,
    applied_revisions,
    format_revisions,
)

router = APIRouter(prefix="/health", tags=["health"])

# Seconds. A database that accepts connections but does not respond is unavailable.
PATIENCE = 1.5
# Seconds for which the result of a check is reused.
LIFETIME = 1.0

_log = structlog.get_logger(__name__)


class Health(ResponseModel):
    """The status of the service."""

    status: str = "ok"


@router.get("/live")
async def live() -> Health:
    """Report that the process is running. Does not check the database."""
    return Health()


@router.get("/ready", responses=problem_responses(503))
async def ready(request: Request) -> Health:
    """Report whether the service is ready: the database is reachable and migrated."""
    readiness: Readiness = request.app.state.readiness
    await readiness.check()
    return Health()


class Readiness:
    """Checks whether the database is reachable, and the database and the replica are migrated.

    An unreachable replica is only logged, because all processes have the same one. Writes, and
    reads of requests with `Cache-Control: no-cache`, use the database.

    All probes share one check per second. The check uses a separate connection, not the pool: it
    does not delay requests, and a service under load still passes it.
    """

    def __init__(self, settings: DatabaseSettings, name: str, revisions: CodeRevisions) -> None:
        self._engines = {"database": build_probe_engine(settings, name)}
        if settings.replica_url:
            self._engines["replica"] = build_probe_engine(settings.for_reads(), name)
        self.name = name
        self._revisions = revisions
        # The last logged state of each server: revisions, or why it is unavailable.
        self._logged: dict[str, object] = {}
        self._pending: str | None = None
        self._task: asyncio.Task[str | None] | None = None
        self._checked_at = -LIFETIME

    async def check(self) -> None:
        """Raise Unavailable unless the service is ready. The result is at most one second old."""
        if self._task is None or (self._task.done() and monotonic() - self._checked_at >= LIFETIME):
            self._task = asyncio.create_task(self._find_problem())
        # Shielded: if one client disconnects, other requests still wait for this check.
        if problem := await asyncio.shield(self._task):
            raise Unavailable(problem)

    async def pending_message(self) -> str | None:
        """Return a message about pending migrations, or None. It is at most one second old."""
        with suppress(Unavailable):
            await self.check()
        return self._pending

    async def log_status(self) -> None:
        """Log the state at startup. The service starts even if it is not ready."""
        if problem := await self._find_problem():
            _log.warning("not ready", reason=problem)

    async def close(self) -> None:
        """Cancel a check in progress."""
        if self._task and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task], timeout=PATIENCE)

    async def _find_problem(self) -> str | None:
        self._pending = None
        try:
            checks = [
                self._check_server(server, engine) for server, engine in self._engines.items()
            ]
            found = [problem for problem in await asyncio.gather(*checks) if problem]
            return " ".join(found) or None
        finally:
            self._checked_at = monotonic()

    async def _check_server(self, server: str, engine: AsyncEngine) -> str | None:
        # Do not await the task: the cancellation of a connection that hangs may hang too.
        query = asyncio.create_task(_applied(engine))
        await asyncio.wait([query], timeout=PATIENCE)
        if not query.done():
            query.cancel()
            return self._unreachable(server, f"The {server} does not respond.")
        try:
            applied = query.result()
        except RevisionTableUnreadable:
            return f"The role may not read alembic_version in the {server}. Grant it SELECT."
        except Unavailable as error:
            reason = network_failure(error.__cause__).reason
            return self._unreachable(server, f"The {server} cannot be reached: {reason}.")
        except (SQLAlchemyError, OSError) as error:
            # Only the type: the message of the server can contain names.
            cause = driver_error(error) if isinstance(error, DBAPIError) else error
            problem = f"The {server} cannot be reached ({type(cause).__name__})."
            return self._unreachable(server, problem)
        is_at, needed = format_revisions(applied), format_revisions(self._revisions.heads)
        if (is_at, needed) != self._logged.get(server):
            self._logged[server] = is_at, needed
            _log.info("schema", server=server, is_at=is_at, needed=needed)
        if self._revisions.is_compatible(applied):
            return None
        self._pending = self._revisions.mismatch(applied, self.name, server)
        return self._pending

    def _unreachable(self, server: str, problem: str) -> str | None:
        if server != "replica":
            return problem
        if self._logged.get(server) != problem:
            self._logged[server] = problem
            _log.warning("replica unavailable", reason=problem)
        return None


async def migration_problem(app: FastAPI, error: StatementError) -> Problem | None:
    """Return and log the problem if a migration is pending or missing, else return None."""
    readiness: Readiness | None = getattr(app.state, "readiness", None)
    if readiness is None:
        return None
    if pending := await readiness.pending_message():
        return Unavailable(pending)
    if missing := missing_migration(error, readiness.name):
        _log.error("missing migration", reason=missing)
        return Problem("The database lacks a table or column. The log names it.")
    return None


async def _applied(engine: AsyncEngine) -> frozenset[str]:
    async with engine.connect() as connection:
        return await applied_revisions(connection)
