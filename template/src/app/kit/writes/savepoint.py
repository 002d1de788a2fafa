"""Alias of `app.kit.writes.retry`, for existing imports."""

from app.kit.writes.retry import savepoint

__all__ = ["savepoint"]
