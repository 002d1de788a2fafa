"""Alias of `app.kit.schemas`, for existing imports."""

from app.kit.schemas import Moment

__all__ = ["Moment"]
