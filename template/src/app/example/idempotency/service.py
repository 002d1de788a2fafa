"""Idempotency keys: the dependency for endpoints, and the deletion of old keys."""

from datetime import datetime
from typing import Annotated

from app.example.idempotency.models import IdempotencyKey
from app.kit.db.bulk import CHUNK
from app.kit.db.session import Database
from app.kit.idempotency import Once, forget_answers, once

# The example has no authentication, so all clients share one set of keys per operation. In a
# service with users, pass `once` a scope, so that each user has separate keys.
OncePerKey = Annotated[Once, once(IdempotencyKey)]


async def forget_keys(database: Database, before: datetime, size: int = CHUNK) -> int:
    """Delete the keys created before `before`. Return their number."""
    return await forget_answers(database, IdempotencyKey, before, size)
