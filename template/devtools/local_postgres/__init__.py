"""A local PostgreSQL for development and tests, without set-up.

`development(root)` keeps its data, and all processes share one server. `ephemeral()` starts a new,
empty server. Both are context managers that yield a URL. A server stops if no process uses it.
"""

import sys
from typing import NoReturn

from local_postgres.binaries import PostgresUnavailable

if sys.platform == "win32":

    def development(*_args: object) -> NoReturn:
        """Raise PostgresUnavailable: the locks and sockets that the server needs are POSIX."""
        raise PostgresUnavailable("Windows has no local PostgreSQL: set DATABASE_URL or use WSL.")

    ephemeral = development
else:
    from local_postgres.server import development, ephemeral

__all__ = ["PostgresUnavailable", "development", "ephemeral"]
