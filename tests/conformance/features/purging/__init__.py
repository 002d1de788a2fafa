"""Entities that refer to entities, which do not own them."""
