"""What was answered to requests that may be repeated."""

from app.kit.idempotency import KeptAnswer


class IdempotencyKey(KeptAnswer):
    """A key that a client gave its request, with the answer."""

    __tablename__ = "idempotency_keys"
