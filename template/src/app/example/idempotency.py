"""Idempotency keys: their table, and the dependency for endpoints."""

from typing import Annotated

from app.kit.writes.idempotency import IdempotencyRecord, IdempotentRequest, idempotent


class IdempotencyKey(IdempotencyRecord):
    """An idempotency key with the response to its request."""

    __tablename__ = "idempotency_keys"


# Each caller has separate keys. Without authentication, clients share the keys of an
# operation, unless you pass `idempotent` a scope that identifies the client.
IdempotencyDep = Annotated[IdempotentRequest, idempotent(IdempotencyKey)]
