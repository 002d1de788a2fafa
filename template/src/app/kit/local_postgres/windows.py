"""What Windows gets: the ways out, since locks and sockets as used here are POSIX."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import NoReturn

from sqlalchemy import URL

from app.kit.local_postgres.unavailable import PostgresUnavailable


def development(root: Path) -> AbstractContextManager[URL]:
    """Raise PostgresUnavailable, whatever the project."""
    _refuse()


def is_in_use(root: Path) -> bool:
    """Return False: there is no such server."""
    return False


def throwaway(max_connections: int = 100) -> AbstractContextManager[URL]:
    """Raise PostgresUnavailable, whatever the size."""
    _refuse()


def _refuse() -> NoReturn:
    message = (
        "A local PostgreSQL is started on Linux and macOS only: "
        "set DATABASE_URL to a running server, or work inside WSL."
    )
    raise PostgresUnavailable(message)
