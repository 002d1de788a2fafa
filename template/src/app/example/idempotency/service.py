"""How endpoints come by their keys, and how keys are forgotten."""

from datetime import datetime
from typing import Annotated

from app.example.idempotency.models import IdempotencyKey
from app.kit.db.bulk import CHUNK
from app.kit.db.session import Database
from app.kit.idempotency import Once, forget_answers, once

# Nobody logs in here: a key means one thing to an operation, whoever asks. Give `once` a scope
# as soon as somebody does.
OncePerKey = Annotated[Once, once(IdempotencyKey)]


async def forget_keys(database: Database, before: datetime, size: int = CHUNK) -> int:
    """Remove the keys from before this time, with their answers; returns how many."""
    return await forget_answers(database, IdempotencyKey, before, size)
