"""Database URLs as people write them, for the asyncpg driver."""

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

DRIVER = "postgresql+asyncpg"
_NAMES = {"postgres", "postgresql", DRIVER}
# What libpq knows and asyncpg takes by another name.
_RENAMED = {"sslmode": "ssl"}
_KNOWN = {"ssl", "host", "port", "timeout", "command_timeout", "target_session_attrs"}


def parse_url(text: str) -> URL:
    """Read `postgres://`, `postgresql://` or `postgresql+asyncpg://`, or raise `ValueError`.

    `sslmode=` is translated; other parameters of libpq that asyncpg would refuse at the first
    connection are refused here. The error never repeats the URL, which may hold a password.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ValueError("is not a URL like postgresql://user:password@host:5432/name") from None
    if url.drivername not in _NAMES:
        raise ValueError(f"must begin with postgresql://, not {url.drivername}://")
    if "@" in (url.host or ""):
        # What is taken for the host is the end of a password, and would be shown.
        raise ValueError("has an @ in its password: write it as %40")
    if url.port is not None and not 0 < url.port < 65_536:
        raise ValueError("has a port that is not between 1 and 65535")
    if not url.database:
        raise ValueError("names no database: add it after the host, as in //host:5432/name")
    query = {_RENAMED.get(key, key): value for key, value in url.query.items()}
    if unknown := sorted(query.keys() - _KNOWN):
        raise ValueError(f"has parameters that asyncpg does not take: {', '.join(unknown)}")
    return url.set(drivername=DRIVER, query=query)
