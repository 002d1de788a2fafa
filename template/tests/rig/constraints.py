"""What a real commit would check."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


async def check_constraints(connection: AsyncConnection) -> None:
    """Fail as the commit would where a deferred constraint does not hold.

    A transaction that is rolled back in the end never comes to that point by itself.
    """
    async with connection.begin_nested() as savepoint:
        await connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
        # The next request may break them again and mend them before its own end.
        await savepoint.rollback()
