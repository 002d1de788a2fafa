"""Other name of `app.kit.idempotency`."""

from app.kit.idempotency import LONGEST_KEY, KeptAnswer, forget_answers, take_key

__all__ = ["LONGEST_KEY", "KeptAnswer", "forget_answers", "take_key"]
