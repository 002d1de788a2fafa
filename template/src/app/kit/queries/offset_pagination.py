"""Alias of `app.kit.queries.pagination`, for existing imports."""

from app.kit.queries.pagination import (
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
