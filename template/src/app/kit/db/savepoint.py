"""Savepoints: roll back a part of a transaction."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.kit.db.conflicts import problem_of


@asynccontextmanager
async def savepoint(session: AsyncSession) -> AsyncGenerator[None]:
    """Roll back only the block if it fails, and raise a database error as a `Problem`.

    After a failure, objects that the block added are removed from the session. Refresh objects that
    the block changed before you use them.
    """
    try:
        async with session.begin_nested():
            yield
    except (DataError, IntegrityError) as error:
        # Other errors, such as a deadlock or a dropped connection, end the whole transaction.
        if problem := problem_of(error):
            raise problem from error
        raise
