"""Other name of `app.kit.queries.execution`."""

from app.kit.queries.execution import Prepared, Processor, cache_key, prepare

__all__ = ["Prepared", "Processor", "cache_key", "prepare"]
