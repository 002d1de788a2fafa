"""Counting the statements that a piece of code sends to the database."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

# What the test's own transaction adds around each request; production sends none of it.
_OF_THE_RIG = (
    "SAVEPOINT",
    "RELEASE SAVEPOINT",
    "ROLLBACK TO SAVEPOINT",
    "SET CONSTRAINTS",
    "SET TRANSACTION READ ONLY",
)


class Statements(list[str]):
    """The statements sent; a failing comparison prints them."""

    def assert_count(self, expected: int) -> None:
        """Fail with the statements themselves where there were more, or fewer."""
        listing = "\n\n".join(f"{number}. {text}" for number, text in enumerate(self, 1))
        assert len(self) == expected, (
            f"expected {expected} statements, there were {len(self)}:\n\n{listing}"
        )


@contextmanager
def counting(engine: AsyncEngine) -> Generator[Statements]:
    """Record the statements that go through this engine within the block."""
    statements = Statements()

    def record(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if not statement.startswith(_OF_THE_RIG):
            statements.append(statement)

    with _listening(engine, "before_cursor_execute", record):
        yield statements


@contextmanager
def counting_round_trips(engine: AsyncEngine) -> Generator[Statements]:
    """Record what goes to the server and back, `BEGIN` and `COMMIT` included.

    For sessions that really commit, on connections that are already open: the first use of a
    statement on a connection prepares it, which is another round trip.
    """
    with counting(engine) as statements:

        def record(query: Any) -> None:
            # What the driver sends by itself; all else it prepares, and does not report here.
            statements.append(query.query)

        def checkout(connection: Any, *_rest: Any) -> None:
            connection.driver_connection.add_query_logger(record)

        def checkin(connection: Any, *_rest: Any) -> None:
            connection.driver_connection.remove_query_logger(record)

        with _listening(engine, "checkout", checkout), _listening(engine, "checkin", checkin):
            yield statements


@contextmanager
def _listening(engine: AsyncEngine, name: str, listener: Any) -> Generator[None]:
    event.listen(engine.sync_engine, name, listener)
    try:
        yield
    finally:
        event.remove(engine.sync_engine, name, listener)
