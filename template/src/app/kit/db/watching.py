"""Who is told of each statement: its text, without values, and how long it took.

Told are the statements of sessions and those of the short ways, and the BEGIN and COMMIT around
them. COPY is not, nor what follows the first rows of a cursor.
"""

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, TypeAlias

import structlog
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

# Which pool, the statement, and its seconds.
Tell: TypeAlias = Callable[[str, str, float], None]

# Characters. An INSERT of a thousand rows has a hundred times as many, all alike.
_LONGEST = 2000

_log = structlog.get_logger(__name__)


def watch(engine: AsyncEngine, pool: str, tells: Sequence[Tell]) -> None:
    """Tell of every statement that goes over a pool, as soon as it has ended, however it ends."""
    sync = engine.sync_engine

    def execute(cursor: Any, statement: str, parameters: Any, context: Any) -> bool:
        began = perf_counter()
        try:
            sync.dialect.do_execute(cursor, statement, parameters, context)
        finally:
            seconds = perf_counter() - began
            for tell in tells:
                tell(pool, statement, seconds)
        # It is done: SQLAlchemy must not do it again.
        return True

    def heard(query: Any) -> None:
        for tell in tells:
            tell(pool, query.query, query.elapsed)

    def connect(connection: Any, _record: Any) -> None:
        # What the driver runs without preparing it before; the rest SQLAlchemy has prepared.
        connection.driver_connection.add_query_logger(heard)

    # Not "before_cursor_execute": whoever listens to that makes the short ways long.
    event.listen(sync, "do_execute", execute)
    event.listen(sync, "connect", connect)


def slow_statements(milliseconds: float) -> Tell:
    """Log the statements that take as long as this, or longer."""

    def tell(pool: str, statement: str, seconds: float) -> None:
        if (took := seconds * 1000) >= milliseconds:
            _log.warning(
                "slow statement",
                statement=statement[:_LONGEST],
                milliseconds=round(took, 1),
                pool=pool,
            )

    return tell
