"""Stored responses to requests with an Idempotency-Key."""

from app.kit.writes.idempotency import IdempotencyRecord


class IdempotencyKey(IdempotencyRecord):
    """An idempotency key with the response to its request."""

    __tablename__ = "idempotency_keys"
