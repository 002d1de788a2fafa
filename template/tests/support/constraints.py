"""Check deferred constraints without a commit."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


async def check_constraints(connection: AsyncConnection) -> None:
    """Raise the error that a commit would raise for a violated deferred constraint.

    A test's transaction always rolls back, so PostgreSQL never checks them at commit.
    """
    async with connection.begin_nested() as savepoint:
        await connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
        # Deferred again: the next request may violate a constraint until its own commit.
        await savepoint.rollback()
