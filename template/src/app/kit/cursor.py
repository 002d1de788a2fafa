"""Alias of `app.kit.db.keyset`, for existing imports."""

from app.kit.db.keyset import VERSION, BadCursor, Place, decode, encode

__all__ = ["VERSION", "BadCursor", "Place", "decode", "encode"]
