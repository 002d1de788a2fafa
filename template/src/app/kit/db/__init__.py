"""Async data access: engine, connections, session and models."""
