"""What a real commit would check."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


async def check_constraints(connection: AsyncConnection) -> None:
    """Fail as the commit would where a deferred constraint does not hold.

    A transaction that is rolled back in the end never comes to that point by itself.
    """
    savepoint = await connection.begin_nested()
    await connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
    # The next request may break and mend them again.
    await savepoint.rollback()
