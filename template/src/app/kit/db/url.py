"""Database URLs as people and providers write them, for the asyncpg driver."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from app.kit.db.url_parameters import checked_parameters

DRIVER = "postgresql+asyncpg"
_NAMES = {"postgres", "postgresql", DRIVER}
# What asyncpg reads from a URL of its own only, and what is sent to the server at connect.
_IN_DSN = {
    *("sslrootcert", "sslcert", "sslkey", "sslpassword", "sslcrl", "sslnegotiation"),
    *("ssl_min_protocol_version", "ssl_max_protocol_version", "options"),
}
_DSN = "postgresql:///?"
# user:password@ and two hosts or more, which SQLAlchemy reads from `?host=` only.
_HOSTS = re.compile(r"^([\w+]+://(?:[^/?#]*@)?)([^/?#@]+(?:,[^/?#@]+)+)(.*)$", re.DOTALL)


def parse_url(text: str) -> URL:
    """Read `postgres://`, `postgresql://` or `postgresql+asyncpg://`, or raise `ValueError`.

    Parameters of libpq are translated for asyncpg. One that asyncpg cannot honour is rejected
    here, before the first connection, with what to do instead. The error never repeats the URL,
    which may hold a password.
    """
    hosts: list[str] = []
    if several := _HOSTS.match(text):
        text, hosts = several[1] + several[3], several[2].split(",")
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
    query = dict[str, Any](url.query)
    query |= parse_qsl(str(query.pop("dsn", "")).removeprefix(_DSN))
    if socket := _socket(url.host):
        url, query["host"] = url.set(host=None), socket
    parameters = _with_hosts(checked_parameters(query), hosts)
    return url.set(drivername=DRIVER, query=_for_asyncpg(parameters))


def _socket(host: str | None) -> str | None:
    """Return the path in a host like %2Fvar%2Frun%2Fpostgresql, or None."""
    path = unquote(host or "")
    return path if path.startswith("/") else None


def _with_hosts(query: Mapping[str, Any], hosts: list[str]) -> dict[str, Any]:
    """Return the query with several hosts as SQLAlchemy takes them: `host=a:5432&host=b:5432`."""
    found, ports = query.get("host", ()), query.get("port", "")
    hosts = hosts or (found.split(",") if isinstance(found, str) else [*found])
    if len(hosts) < 2:
        return dict(query)
    given = ports.split(",") if isinstance(ports, str) else [*ports]
    each = given * len(hosts) if len(given) == 1 else given
    if len(each) != len(hosts):
        raise ValueError("names several hosts, and another number of ports")
    rest = {name: value for name, value in query.items() if name != "port"}
    named = zip(hosts, each, strict=True)
    full = (host if ":" in host else f"{host}:{port or 5432}" for host, port in named)
    return rest | {"host": tuple(full)}


def _for_asyncpg(query: Mapping[str, Any]) -> dict[str, Any]:
    dsn = {name: value for name, value in query.items() if name in _IN_DSN}
    rest = {name: value for name, value in query.items() if name not in _IN_DSN}
    return rest | ({"dsn": _DSN + urlencode(dsn, quote_via=quote)} if dsn else {})
