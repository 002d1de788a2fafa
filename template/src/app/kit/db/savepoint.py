"""A part of a transaction that may fail by itself."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.kit.db.conflicts import problem_of


@asynccontextmanager
async def savepoint(session: AsyncSession) -> AsyncGenerator[None]:
    """Undo the block alone if it fails, with the `Problem` that a database error stands for.

    Rows added in a failed block are forgotten; rows changed in it must be read again before use.
    """
    try:
        async with session.begin_nested():
            yield
    except (DataError, IntegrityError) as error:
        # Only what the block itself did wrong; a lost connection or a deadlock ends it all.
        if problem := problem_of(error):
            raise problem from error
        raise
