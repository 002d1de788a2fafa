"""Database URLs as people and providers write them, for the asyncpg driver."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from app.kit.db.url_parameters import blank_parameters, checked_parameters

DRIVER = "postgresql+asyncpg"
_NAMES = {"postgres", "postgresql", DRIVER}
# What asyncpg reads from a URL of its own only, and what is sent to the server at connect.
_IN_DSN = {
    *("sslrootcert", "sslcert", "sslkey", "sslpassword", "sslcrl", "sslnegotiation"),
    *("ssl_min_protocol_version", "ssl_max_protocol_version", "options"),
}
_DSN = "postgresql:///?"
# user:password@ and two hosts or more, which SQLAlchemy reads from `?host=` only.
_HOSTS = re.compile(r"^([\w+]+://(?:[^/?#]*@)?)([^/?#@]*,[^/?#@]*)(.*)$", re.DOTALL)
# The form in which SQLAlchemy takes each of several hosts.
_HOST = re.compile(r"[^:]+:\d+")


def parse_url(text: str) -> URL:
    """Read `postgres://`, `postgresql://` or `postgresql+asyncpg://`, or raise `ValueError`.

    Parameters of libpq are translated for asyncpg. One that asyncpg cannot honour is rejected
    here, before the first connection, with what to do instead. The error never repeats the URL,
    which may hold a password.
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
        # What is taken for the host is the end of a password, and would be shown.
        raise ValueError("has an @ in its password: write it as %40")
    if blank := blank_parameters(text):
        raise ValueError(f"has no value for {', '.join(blank)}: write one, or remove the parameter")
    query = dict[str, Any](url.query)
    if str(query.get("dsn")).startswith(_DSN):
        # Written by this function.
        query |= parse_qsl(query.pop("dsn").removeprefix(_DSN))
    # A directory of sockets in place of the host is percent-encoded.
    host = unquote(url.host or "") or None
    if host and host.startswith("/"):
        host, query["host"] = None, host
    parameters = _with_hosts(checked_parameters(query), [unquote(each) for each in hosts])
    _check_port(url.port)
    if not url.database:
        raise ValueError("names no database: add it after the host, as in //host:5432/name")
    return url.set(drivername=DRIVER, host=host, query=_for_asyncpg(parameters))


def _check_port(port: object) -> None:
    text = "5432" if port is None else str(port)
    if not (text.isdecimal() and 0 < int(text) < 65_536):
        raise ValueError("has a port that is not a number between 1 and 65535")


def _with_hosts(query: Mapping[str, Any], hosts: list[str]) -> dict[str, Any]:
    """Return the query with several hosts as SQLAlchemy takes them: `host=a:5432&host=b:5432`."""
    found, ports = query.get("host", ()), query.get("port", "")
    hosts = hosts or (found.split(",") if isinstance(found, str) else [*found])
    if len(hosts) < 2:
        _check_port(ports or None)
        return dict(query)
    given = ports.split(",") if isinstance(ports, str) else [*ports]
    each = given * len(hosts) if len(given) == 1 else given
    if len(each) != len(hosts):
        raise ValueError("names several hosts, and another number of ports")
    rest = {name: value for name, value in query.items() if name != "port"}
    named = zip(hosts, each, strict=True)
    full = tuple(host if ":" in host else f"{host}:{port or 5432}" for host, port in named)
    if not all(map(_HOST.fullmatch, full)):
        raise ValueError(
            "names several hosts, which must all be like name:5432: give an IPv6 address a name, "
            "and leave none empty"
        )
    for host in full:
        _check_port(host.partition(":")[2])
    return rest | {"host": full}


def _for_asyncpg(query: Mapping[str, Any]) -> dict[str, Any]:
    dsn = {name: value for name, value in query.items() if name in _IN_DSN}
    rest = {name: value for name, value in query.items() if name not in _IN_DSN}
    return rest | ({"dsn": _DSN + urlencode(dsn, quote_via=quote)} if dsn else {})
