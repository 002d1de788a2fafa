"""Parse database URLs in the formats of libpq and hosting providers, for asyncpg."""

import os
import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

DRIVER = "postgresql+asyncpg"
_DRIVER_NAMES = {"postgres", "postgresql", DRIVER}
_DSN_PREFIX = "postgresql:///?"
# A URL with several hosts. SQLAlchemy supports them only in `?host=`.
_URL_WITH_HOSTS = re.compile(
    r"^([\w+]+://(?:[^/?#]*@)?)([^/?#@]*,[^/?#@]*)((?:[/?#].*)?)$", re.DOTALL
)
# SQLAlchemy's format for each of several hosts.
_HOST_WITH_PORT = re.compile(r"[^:]+:\d+")

_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl", "passfile")
_VERIFYING = ("verify-ca", "verify-full")
_SESSION_ATTRIBUTES = ("any", "primary", "standby", "read-write", "read-only", "prefer-standby")
_TLS_VERSIONS = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
# Parameters with a fixed set of values.
_ALLOWED_VALUES = {
    "ssl": ("disable", "allow", "prefer", "require", *_VERIFYING),
    "sslnegotiation": ("postgres", "direct"),
    "ssl_min_protocol_version": _TLS_VERSIONS,
    "ssl_max_protocol_version": _TLS_VERSIONS,
    "target_session_attrs": _SESSION_ATTRIBUTES,
}
_KNOWN = {*_FILES, *_ALLOWED_VALUES, "sslpassword", "host", "port", "options"}
# Parameters that asyncpg accepts as keyword arguments. It accepts the others only in a DSN.
_KEYWORD_ARGUMENTS = {"ssl", "passfile", "host", "port", "target_session_attrs"}
# Parameters of libpq and other drivers, with the replacement in this service.
_REPLACEMENTS = {
    name: replacement
    for names, replacement in {
        "application_name fallback_application_name": "set DATABASE_APPLICATION_NAME",
        "connect_timeout timeout": "set DATABASE_CONNECT_TIMEOUT",
        "pool_timeout": "set DATABASE_POOL_TIMEOUT",
        "connection_limit": "set DATABASE_POOL_SIZE",
        "statement_timeout command_timeout": "set DATABASE_STATEMENT_TIMEOUT",
        "lock_timeout": "set DATABASE_LOCK_TIMEOUT",
        "idle_in_transaction_session_timeout": "set DATABASE_IDLE_IN_TRANSACTION_TIMEOUT",
        "pgbouncer statement_cache_size": "set DATABASE_POOLER=pgbouncer",
        "prepared_statement_cache_size": "set DATABASE_POOLER=pgbouncer",
        "search_path schema currentSchema": "write options=-csearch_path%3Dname",
        "service servicefile": "write host, port, user and database of the service here",
        "ssl_mode ssl-mode SSLMODE": "write sslmode",
        "hostaddr unix_sock": "write host",
        "sslaccept": (
            "write sslmode=verify-full for strict, sslmode=require for accept_invalid_certs"
        ),
        "user": "write it before the host, as in postgresql://user@host",
        "password": "set DATABASE_PASSWORD",
        "dbname": "write it after the host, as in //host:5432/name",
    }.items()
    for name in names.split()
}
# Values of `ssl` and `sslmode` in other drivers.
_SSL_HINTS = {
    **dict.fromkeys(("true", "1", "yes", "on"), "ssl=true is sslmode=require"),
    **dict.fromkeys(("false", "0", "no", "off"), "ssl=false is sslmode=disable"),
    "no-verify": "no-verify is sslmode=require",
}


def parse_url(text: str) -> URL:
    """Parse a `postgres://`, `postgresql://` or `postgresql+asyncpg://` URL.

    Translates parameters of libpq for asyncpg. Raises ValueError for a parameter that asyncpg does
    not support; the message says what to do instead. Messages never contain the URL, which may
    contain a password.
    """
    hosts: list[str] = []
    text = text.strip()
    if match := _URL_WITH_HOSTS.match(text):
        text, hosts = match[1] + match[3], match[2].split(",")
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ValueError("is not a URL like postgresql://user:password@host:5432/name") from None
    if url.drivername not in _DRIVER_NAMES:
        raise ValueError(f"must begin with postgresql://, not {url.drivername}://")
    if "@" in (url.host or ""):
        # The parsed host contains a part of the password, so a later message would show it.
        raise ValueError("has an @ in its password: write it as %40")
    if blank := _blank_parameters(text):
        raise ValueError(f"has no value for {', '.join(blank)}: add one, or remove the parameter")
    query = dict[str, Any](url.query)
    if str(query.get("dsn")).startswith(_DSN_PREFIX):
        # A URL that this function has already converted.
        query |= parse_qsl(query.pop("dsn").removeprefix(_DSN_PREFIX))
    # A socket directory instead of a host is percent-encoded.
    host = unquote(url.host or "") or None
    if host and host.startswith("/"):
        host, query["host"] = None, host
    query = _with_hosts(_asyncpg_parameters(query), [unquote(each) for each in hosts])
    _check_tls(query)
    _check_port(url.port)
    if not url.database:
        raise ValueError("has no database name: add it after the host, as in //host:5432/name")
    if dsn := {name: query.pop(name) for name in sorted(query.keys() - _KEYWORD_ARGUMENTS)}:
        query["dsn"] = _DSN_PREFIX + urlencode(dsn, quote_via=quote)
    return url.set(drivername=DRIVER, host=host, query=query)


def _blank_parameters(text: str) -> list[str]:
    """Return the known parameters that have no value in a URL. SQLAlchemy ignores them."""
    given = text.rpartition("?")[2].split("&")
    known = sorted({*_KNOWN, *_REPLACEMENTS, "sslmode", "channel_binding"})
    return [name for name in known if name in given or f"{name}=" in given]


def _asyncpg_parameters(query: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters with asyncpg's names. Raises ValueError for an invalid parameter."""
    if repeated := sorted(k for k, v in query.items() if k != "host" and not isinstance(v, str)):
        raise ValueError(f"repeats {', '.join(repeated)}: keep one")
    if {"ssl", "sslmode"} <= query.keys():
        raise ValueError("has both ssl and sslmode: keep sslmode")
    query = {"ssl" if name == "sslmode" else name: value for name, value in query.items()}
    if (binding := query.pop("channel_binding", "prefer")) not in ("disable", "prefer"):
        raise ValueError(
            f"has channel_binding={'require' if binding == 'require' else '…'}, which asyncpg does "
            "not support: remove it, and add sslmode=verify-full&sslrootcert=system to "
            "authenticate the server by its certificate"
        )
    if unknown := sorted(query.keys() - _KNOWN):
        advice = ", ".join(f"{name} ({_REPLACEMENTS.get(name, 'remove it')})" for name in unknown)
        raise ValueError(f"has parameters that asyncpg does not support: {advice}")
    for name, values in _ALLOWED_VALUES.items():
        if query.get(name, values[0]) not in values:
            hint = _SSL_HINTS.get(query[name].lower()) if name == "ssl" else None
            raise ValueError(
                f"has an unknown {'sslmode' if name == 'ssl' else name}: use one of "
                f"{', '.join(values)}{f' ({hint})' if hint else ''}"
            )
    return query


def _with_hosts(query: Mapping[str, Any], hosts: list[str]) -> dict[str, Any]:
    """Return the query with several hosts in SQLAlchemy's format: `host=a:5432&host=b:5432`."""
    given, port = query.get("host", ()), query.get("port", "")
    hosts = hosts or (given.split(",") if isinstance(given, str) else [*given])
    if len(hosts) < 2:
        _check_port(port or None)
        return dict(query)
    ports = port.split(",") if "," in port else [port] * len(hosts)
    if len(ports) != len(hosts):
        raise ValueError("has several hosts, but another number of ports")
    pairs = zip(hosts, ports, strict=True)
    addresses = tuple(host if ":" in host else f"{host}:{port or 5432}" for host, port in pairs)
    if not all(map(_HOST_WITH_PORT.fullmatch, addresses)):
        raise ValueError(
            "has several hosts, but not all in the format name:5432: use a host name instead of an "
            "IPv6 address, and leave no host empty"
        )
    for each in addresses:
        _check_port(each.partition(":")[2])
    return {name: value for name, value in query.items() if name != "port"} | {"host": addresses}


def _check_port(port: object) -> None:
    text = "5432" if port is None else str(port)
    if not (text.isdecimal() and 0 < int(text) < 65_536):
        raise ValueError("has a port that is not a number between 1 and 65535")


def _check_tls(query: dict[str, Any]) -> None:
    """Check TLS files and modes here: at connect, some errors look like a missing server."""
    is_optional = query.get("ssl") not in ("require", *_VERIFYING)
    if query.get("sslnegotiation") == "direct" and is_optional:
        raise ValueError("has sslnegotiation=direct, which needs sslmode=require or verify-full")
    # `sslrootcert=system` is not a file: it means the CAs of the operating system.
    for name in _FILES:
        if query.get(name, "system") != "system" and not Path(query[name]).is_file():
            raise ValueError(f"has {name}, but the file does not exist: mount it, or fix the path")
    _load_certificates(query)
    if query.get("sslrootcert") == "system":
        # Like libpq: a public CA signs certificates for any host, so check the host name too.
        if query.setdefault("ssl", "verify-full") != "verify-full":
            raise ValueError("has sslrootcert=system, which needs sslmode=verify-full")
        paths = ssl.get_default_verify_paths()
        query["sslrootcert"] = paths.cafile or paths.openssl_cafile
    has_root = "sslrootcert" in query or "PGSSLROOTCERT" in os.environ
    if query.get("ssl") in _VERIFYING and not (has_root or _has_default_certificates()):
        raise ValueError(
            f"has sslmode={query['ssl']}, which needs trusted certificates: add sslrootcert=FILE, "
            "or sslrootcert=system for a certificate of a public CA"
        )


def _load_certificates(query: Mapping[str, Any]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for name in ("sslrootcert", "sslcrl"):
        if query.get(name, "system") != "system":
            try:
                context.load_verify_locations(query[name])
            except OSError:
                raise ValueError(f"has {name}, which is not a file of PEM certificates") from None
    if "sslcert" in query:
        password = query.get("sslpassword", "")
        try:
            context.load_cert_chain(query["sslcert"], query.get("sslkey"), lambda: password)
        except OSError as error:
            raise ValueError(
                f"has a client certificate that cannot be loaded ({error}): fix sslcert, sslkey or "
                "sslpassword"
            ) from None
    elif "sslkey" in query and not os.environ.get("PGSSLCERT"):
        raise ValueError("has sslkey, but no sslcert: add sslcert")


def _has_default_certificates() -> bool:
    try:
        return Path("~/.postgresql/root.crt").expanduser().is_file()
    except (OSError, RuntimeError):
        # The home directory is unknown or not accessible.
        return False
