"""Statement timing: report the text and duration of each statement, never its parameters.

Covers statements of sessions and of `Database.fetch`, and BEGIN and COMMIT. Does not cover COPY, or
the later fetches of a server-side cursor.
"""

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, TypeAlias

import structlog
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

# Called with the name of the pool, the statement and its duration in seconds.
StatementListener: TypeAlias = Callable[[str, str, float], None]

# Characters. A bulk INSERT can be a hundred times as long, with repeated parts.
_LONGEST = 2000

_log = structlog.get_logger(__name__)


def attach_listeners(
    engine: AsyncEngine, pool: str, listeners: Sequence[StatementListener]
) -> None:
    """Call the listeners after each statement on a pool, also after a failed one."""
    sync = engine.sync_engine

    def execute(cursor: Any, statement: str, parameters: Any, context: Any) -> bool:
        began = perf_counter()
        try:
            sync.dialect.do_execute(cursor, statement, parameters, context)
        finally:
            seconds = perf_counter() - began
            for listener in listeners:
                listener(pool, statement, seconds)
        # True: SQLAlchemy does not execute the statement again.
        return True

    def on_query(query: Any) -> None:
        for listener in listeners:
            listener(pool, query.query, query.elapsed)

    def connect(connection: Any, _record: Any) -> None:
        # Reports statements that asyncpg runs directly, such as BEGIN and `Database.fetch`.
        connection.driver_connection.add_query_logger(on_query)

    # Not "before_cursor_execute": such a listener disables the fast path, see `has_listeners`.
    event.listen(sync, "do_execute", execute)
    event.listen(sync, "connect", connect)


def slow_statements(milliseconds: float) -> StatementListener:
    """Return a listener that logs statements of this duration or longer."""

    def log_slow(pool: str, statement: str, seconds: float) -> None:
        if (took := seconds * 1000) >= milliseconds:
            _log.warning(
                "slow statement",
                statement=statement[:_LONGEST],
                milliseconds=round(took, 1),
                pool=pool,
            )

    return log_slow
