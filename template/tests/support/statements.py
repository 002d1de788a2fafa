"""Count the statements that a block of code sends to the database."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.authentication import STATEMENTS

# The test's own transaction sends these, so savepoints of the service are not counted either.
_TEST_STATEMENTS = (
    "SAVEPOINT",
    "RELEASE SAVEPOINT",
    "ROLLBACK TO SAVEPOINT",
    "SET CONSTRAINTS",
    "SET TRANSACTION READ ONLY",
    *STATEMENTS,
)


class Statements(list[str]):
    """The recorded statements; a failed comparison prints them."""

    def assert_count(self, expected: int) -> None:
        """Fail with a list of the statements if their number differs from `expected`."""
        listing = "\n\n".join(f"{number}. {text}" for number, text in enumerate(self, 1))
        assert len(self) == expected, (
            f"expected {expected} statements, there were {len(self)}:\n\n{listing}"
        )


@contextmanager
def counting(engine: AsyncEngine) -> Generator[Statements]:
    """Record the statements that this engine executes inside the block."""
    statements = Statements()

    def record(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if not statement.startswith(_TEST_STATEMENTS):
            statements.append(statement)

    with _listening(engine, "before_cursor_execute", record):
        yield statements


@contextmanager
def counting_round_trips(engine: AsyncEngine) -> Generator[Statements]:
    """Record every round trip to the server, including `BEGIN` and `COMMIT`.

    Use it with committing sessions on open connections: the first use of a statement on a
    connection adds a round trip. COMMIT is reported in the next iteration of the event loop.
    """
    with counting(engine) as statements:

        def record(query: Any) -> None:
            # The driver logs only unprepared queries here; the engine event covers the others.
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
