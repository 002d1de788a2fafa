"""Deprecated: import `local_postgres`, which is in `devtools`. This module goes in 0.7.0."""

from contextlib import AbstractContextManager
from pathlib import Path

from sqlalchemy import URL
from typing_extensions import deprecated

import local_postgres
from local_postgres import PostgresUnavailable

__all__ = ["PostgresUnavailable", "development", "throwaway"]


# Only type checkers warn: in the fixtures of a team's tests, a warning would be an error.
@deprecated("use local_postgres.development; it goes in 0.7.0", category=None)
def development(root: Path) -> AbstractContextManager[URL]:
    """Call `local_postgres.development`."""
    return local_postgres.development(root)


@deprecated("use local_postgres.ephemeral; it goes in 0.7.0", category=None)
def throwaway(max_connections: int = 100) -> AbstractContextManager[URL]:
    """Call `local_postgres.ephemeral`."""
    return local_postgres.ephemeral(max_connections)
