"""Alias of `app.kit.idempotency`, for existing imports."""

from app.kit.idempotency import LONGEST_KEY, KeptAnswer, forget_answers, take_key

__all__ = ["LONGEST_KEY", "KeptAnswer", "forget_answers", "take_key"]
