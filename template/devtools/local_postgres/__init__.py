"""A local PostgreSQL for development and tests that needs no set-up.

`development(root)` keeps its data, and all processes share it; `ephemeral()` is new and empty.
Both are context managers that yield a URL. A server stops when the last process that uses it ends.
"""

import sys
from typing import NoReturn

from local_postgres.binaries import PostgresUnavailable

if sys.platform == "win32":

    def development(*_args: object) -> NoReturn:
        """Raise PostgresUnavailable: the locks and sockets that the server needs are POSIX."""
        raise PostgresUnavailable("Set DATABASE_URL or use WSL: there is no local PostgreSQL here.")

    ephemeral = development
else:
    from local_postgres.server import development, ephemeral

__all__ = ["PostgresUnavailable", "development", "ephemeral"]
