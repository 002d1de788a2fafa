"""A real PostgreSQL for development and tests that needs no set-up and leaves nothing running.

`development(root)` keeps its data and is shared by every process that asks for it; `throwaway()`
is fast and forgets everything. Both are context managers that yield the URL of the server.
Whoever has a `DATABASE_URL` needs neither.
"""

import sys

from app.kit.local_postgres.unavailable import PostgresUnavailable

if sys.platform == "win32":
    from app.kit.local_postgres.windows import development, is_in_use, throwaway
else:
    from app.kit.local_postgres.server import development, is_in_use, throwaway

__all__ = ["PostgresUnavailable", "development", "is_in_use", "throwaway"]
