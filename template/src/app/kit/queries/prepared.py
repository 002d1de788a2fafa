"""Alias of `app.kit.queries.execution`, for existing imports."""

from app.kit.queries.execution import Prepared, Processor, cache_key, prepare

__all__ = ["Prepared", "Processor", "cache_key", "prepare"]
