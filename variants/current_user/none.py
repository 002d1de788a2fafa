"""The class of connections. With authentication, they send the current user to the database."""

from collections.abc import Callable, Hashable, Mapping
from typing import Any

from app.kit.db.connections.asyncpg_driver import Connection

# The class of connections to PostgreSQL.
CONNECTION_CLASS: type[Any] = Connection


def with_current_user(
    lookup_key: Hashable, build: Callable[[], Any], values: Mapping[str, Any]
) -> tuple[Hashable, Callable[[], Any], Mapping[str, Any]]:
    """Return the arguments of `StatementCache.write`: there is no current user to add."""
    return lookup_key, build, values
