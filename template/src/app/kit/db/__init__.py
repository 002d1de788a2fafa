"""Async data access: engine, session, models and repositories."""
