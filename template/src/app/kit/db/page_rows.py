"""Alias of `app.kit.page`, for existing imports."""

from app.kit.page import (
    check_statement,
    distinct_by,
    has_entities,
    order_terms,
    read_page,
    repeats_rows,
)

__all__ = [
    "check_statement",
    "distinct_by",
    "has_entities",
    "order_terms",
    "read_page",
    "repeats_rows",
]
