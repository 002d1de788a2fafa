"""Alias of `app.kit.queries.columns`, for existing imports."""

from app.kit.queries.columns import CURSOR, ViewSelects, cursor_values

__all__ = ["CURSOR", "ViewSelects", "cursor_values"]
