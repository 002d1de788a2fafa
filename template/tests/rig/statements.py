"""Counting the statements that a piece of code sends to the database."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

# What the test's own transaction adds around each request; production sends none of it.
_OF_THE_RIG = ("SAVEPOINT", "RELEASE SAVEPOINT", "ROLLBACK TO SAVEPOINT")


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

    event.listen(engine.sync_engine, "before_cursor_execute", record)
    try:
        yield statements
    finally:
        event.remove(engine.sync_engine, "before_cursor_execute", record)
