"""Parse database URLs in the formats of libpq and hosting providers, for asyncpg."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from app.kit.db.connections.url_parameters import blank_parameters, validate_parameters

DRIVER = "postgresql+asyncpg"
_NAMES = {"postgres", "postgresql", DRIVER}
# Parameters that asyncpg accepts only in a DSN, not as keyword arguments.
_IN_DSN = {
    *("sslrootcert", "sslcert", "sslkey", "sslpassword", "sslcrl", "sslnegotiation"),
    *("ssl_min_protocol_version", "ssl_max_protocol_version", "options"),
}
_DSN = "postgresql:///?"
# A URL with several hosts. SQLAlchemy supports them only in `?host=`.
_HOSTS = re.compile(r"^([\w+]+://(?:[^/?#]*@)?)([^/?#@]*,[^/?#@]*)(.*)$", re.DOTALL)
# SQLAlchemy's format for each of several hosts.
_HOST = re.compile(r"[^:]+:\d+")


def parse_url(text: str) -> URL:
    """Parse a `postgres://`, `postgresql://` or `postgresql+asyncpg://` URL.

    Translates parameters of libpq for asyncpg. Raises ValueError for a parameter that asyncpg does
    not support; the message says what to do instead. Messages never contain the URL, which may
    contain a password.
    """
    hosts: list[str] = []
    text = text.strip()
    if several := _HOSTS.match(text):
        text, hosts = several[1] + several[3], several[2].split(",")
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ValueError("is not a URL like postgresql://user:password@host:5432/name") from None
    if url.drivername not in _NAMES:
        raise ValueError(f"must begin with postgresql://, not {url.drivername}://")
    if "@" in (url.host or ""):
        # The parsed host contains a part of the password, so a later message would show it.
        raise ValueError("has an @ in its password: write it as %40")
    if blank := blank_parameters(text):
        raise ValueError(f"has no value for {', '.join(blank)}: add one, or remove the parameter")
    query = dict[str, Any](url.query)
    if str(query.get("dsn")).startswith(_DSN):
        # A URL that this function has already converted.
        query |= parse_qsl(query.pop("dsn").removeprefix(_DSN))
    # A socket directory instead of a host is percent-encoded.
    host = unquote(url.host or "") or None
    if host and host.startswith("/"):
        host, query["host"] = None, host
    parameters = _with_hosts(validate_parameters(query), [unquote(each) for each in hosts])
    _check_port(url.port)
    if not url.database:
        raise ValueError("has no database name: add it after the host, as in //host:5432/name")
    return url.set(drivername=DRIVER, host=host, query=_for_asyncpg(parameters))


def _check_port(port: object) -> None:
    text = "5432" if port is None else str(port)
    if not (text.isdecimal() and 0 < int(text) < 65_536):
        raise ValueError("has a port that is not a number between 1 and 65535")


def _with_hosts(query: Mapping[str, Any], hosts: list[str]) -> dict[str, Any]:
    """Return the query with several hosts in SQLAlchemy's format: `host=a:5432&host=b:5432`."""
    found, ports = query.get("host", ()), query.get("port", "")
    hosts = hosts or (found.split(",") if isinstance(found, str) else [*found])
    if len(hosts) < 2:
        _check_port(ports or None)
        return dict(query)
    given = ports.split(",") if isinstance(ports, str) else [*ports]
    each = given * len(hosts) if len(given) == 1 else given
    if len(each) != len(hosts):
        raise ValueError("has several hosts, but another number of ports")
    rest = {name: value for name, value in query.items() if name != "port"}
    named = zip(hosts, each, strict=True)
    full = tuple(host if ":" in host else f"{host}:{port or 5432}" for host, port in named)
    if not all(map(_HOST.fullmatch, full)):
        raise ValueError(
            "has several hosts, but not all in the format name:5432: use a host name instead of an "
            "IPv6 address, and leave no host empty"
        )
    for host in full:
        _check_port(host.partition(":")[2])
    return rest | {"host": full}


def _for_asyncpg(query: Mapping[str, Any]) -> dict[str, Any]:
    dsn = {name: value for name, value in query.items() if name in _IN_DSN}
    rest = {name: value for name, value in query.items() if name not in _IN_DSN}
    return rest | ({"dsn": _DSN + urlencode(dsn, quote_via=quote)} if dsn else {})
