"""Answers that are kept with what was done, under the key that the client gave its request.

The key is taken first, in the transaction of the work. Whoever brings the same key meanwhile waits
at its unique index, as long as `lock_timeout` lets it: then the work was done, and the answer to it
is there to be repeated; or it was undone, and the key with it.
"""

from datetime import datetime
from typing import Any, TypeVar, cast

from sqlalchemy import CursorResult, SmallInteger, String, delete, func, select
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from app.kit.db.base import Base, now
from app.kit.db.bulk import CHUNK
from app.kit.db.retry import retrying
from app.kit.db.session import Database

LONGEST_KEY = 255


class KeptAnswer(Base):
    """What was answered to a request with a key; a service declares one table of it."""

    __abstract__ = True

    # Within what the key means one thing: an operation, and who asks for it.
    scope: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(LONGEST_KEY), primary_key=True)
    fingerprint: Mapped[bytes]
    # The answer. It is there before the transaction ends: nobody else sees a row without.
    status: Mapped[int | None] = mapped_column(SmallInteger)
    headers: Mapped[dict[str, str] | None] = mapped_column(JSONB)
    body: Mapped[bytes | None]
    created_at: Mapped[datetime] = mapped_column(default=now, server_default=func.now(), index=True)


K = TypeVar("K", bound=KeptAnswer)


async def take_key(
    session: AsyncSession, model: type[K], scope: str, key: str, fingerprint: bytes
) -> K:
    """The answer that is kept under a key, or a new row, without a status, to keep one in."""
    new = insert(model).values(scope=scope, key=key, fingerprint=fingerprint)
    taken = new.on_conflict_do_nothing().returning(model)
    kept = select(model).where(model.scope == scope, model.key == key)
    row: K | None = None
    while row is None:
        # Neither finds a row if it was forgotten between the two: then the key is free again.
        row = await session.scalar(taken) or await session.scalar(kept)
    return row


async def forget_answers(
    database: Database, model: type[KeptAnswer], before: datetime, size: int = CHUNK
) -> int:
    """Remove the answers that were kept before this time, so many a transaction; returns how many.

    Their keys are free then: a request that is repeated later is done a second time.
    """

    async def batch(session: AsyncSession) -> int:
        oldest = (
            select(model.scope, model.key)
            .where(model.created_at < before)
            .order_by(model.created_at)
            .limit(size)
            .with_for_update(skip_locked=True)
            .cte()
        )
        matches = (model.scope == oldest.c.scope, model.key == oldest.c.key)
        result = await session.execute(delete(model).where(*matches))
        return cast("CursorResult[Any]", result).rowcount

    count = 0
    while removed := await retrying(database, batch):
        count += removed
    return count
