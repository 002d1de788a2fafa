"""Idempotency keys: their table, the dependency for endpoints, and the deletion of old keys."""

from datetime import datetime
from typing import Annotated

from app.kit.db.session import Database
from app.kit.writes.bulk import CHUNK_SIZE
from app.kit.writes.idempotency import (
    IdempotencyRecord,
    IdempotentRequest,
    delete_expired,
    idempotent,
)


class IdempotencyKey(IdempotencyRecord):
    """An idempotency key with the response to its request."""

    __tablename__ = "idempotency_keys"


# Each caller has separate keys. Without authentication, clients share the keys of an
# operation, unless you pass `idempotent` a scope that identifies the client.
IdempotencyDep = Annotated[IdempotentRequest, idempotent(IdempotencyKey)]


async def delete_expired_keys(database: Database, before: datetime, size: int = CHUNK_SIZE) -> int:
    """Delete the keys that were created before a time. Return their number."""
    return await delete_expired(database, IdempotencyKey, before, size)
