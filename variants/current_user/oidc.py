"""The current user in the database: each transaction sets it."""

from typing import Any

from app.kit.auth.audit import CallerConnection, with_current_user

__all__ = ["CONNECTION_CLASS", "with_current_user"]

# The class of connections to PostgreSQL.
CONNECTION_CLASS: type[Any] = CallerConnection
