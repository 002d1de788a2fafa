"""Idempotency records: the stored response of each request with an idempotency key.

The transaction of a request inserts the key first. A concurrent request with the same key waits at
the unique index, up to `lock_timeout`. If the first transaction commits, the second request gets
the stored response. If it rolls back, the key is free again.
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
    """The response to a request with an idempotency key. A service declares one subclass."""

    __abstract__ = True

    # Keys are unique per scope: the operation, and the client if clients are authenticated.
    scope: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(LONGEST_KEY), primary_key=True)
    fingerprint: Mapped[bytes]
    # The response, set in the transaction that inserts the row: a committed row has a response.
    status: Mapped[int | None] = mapped_column(SmallInteger)
    headers: Mapped[dict[str, str] | None] = mapped_column(JSONB)
    body: Mapped[bytes | None]
    created_at: Mapped[datetime] = mapped_column(default=now, server_default=func.now(), index=True)


K = TypeVar("K", bound=KeptAnswer)


async def take_key(
    session: AsyncSession, model: type[K], scope: str, key: str, fingerprint: bytes
) -> K:
    """Return the record of an idempotency key, or insert a new one whose `status` is None."""
    new = insert(model).values(scope=scope, key=key, fingerprint=fingerprint)
    inserted = new.on_conflict_do_nothing().returning(model)
    existing = select(model).where(model.scope == scope, model.key == key)
    row: K | None = None
    while row is None:
        # Neither finds a row if `forget_answers` deletes it in between. Then insert again.
        row = await session.scalar(inserted) or await session.scalar(existing)
    return row


async def forget_answers(
    database: Database, model: type[KeptAnswer], before: datetime, size: int = CHUNK
) -> int:
    """Delete idempotency records created before this time. Return their number.

    One transaction deletes up to `size` records. A request that is repeated after that runs again.
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
