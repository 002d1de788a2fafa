"""Alias of `app.kit.db.retry`, for existing imports."""

from app.kit.db.retry import savepoint

__all__ = ["savepoint"]
