"""Other name of `app.kit.queries.columns`."""

from app.kit.queries.columns import CURSOR, ViewSelects, cursor_values

__all__ = ["CURSOR", "ViewSelects", "cursor_values"]
