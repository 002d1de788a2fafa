"""Stored responses to requests with an Idempotency-Key."""

from app.kit.idempotency import KeptAnswer


class IdempotencyKey(KeptAnswer):
    """An idempotency key with the response to its request."""

    __tablename__ = "idempotency_keys"
