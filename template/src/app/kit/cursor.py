"""Other name of `app.kit.db.keyset`."""

from app.kit.db.keyset import VERSION, BadCursor, Place, decode, encode

__all__ = ["VERSION", "BadCursor", "Place", "decode", "encode"]
