"""Parameters of a database URL: those that asyncpg supports, and replacements for the others."""

import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_SESSIONS = ("any", "primary", "standby", "read-write", "read-only", "prefer-standby")
_VERIFYING = ("verify-ca", "verify-full")
_VERSIONS = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl", "passfile")
_KNOWN = {
    *_FILES,
    *("ssl", "sslpassword", "sslnegotiation", "ssl_min_protocol_version"),
    *("ssl_max_protocol_version", "host", "port", "options"),
    *("command_timeout", "target_session_attrs"),
}
# Parameters of libpq and other drivers, with the replacement in this service.
_INSTEAD = {
    **dict.fromkeys(
        ("application_name", "fallback_application_name"), "set DATABASE_APPLICATION_NAME"
    ),
    **dict.fromkeys(("connect_timeout", "timeout"), "set DATABASE_CONNECT_TIMEOUT"),
    "pool_timeout": "set DATABASE_POOL_TIMEOUT",
    "connection_limit": "set DATABASE_POOL_SIZE",
    "statement_timeout": "set DATABASE_STATEMENT_TIMEOUT",
    "lock_timeout": "set DATABASE_LOCK_TIMEOUT",
    "idle_in_transaction_session_timeout": "set DATABASE_IDLE_IN_TRANSACTION_TIMEOUT",
    **dict.fromkeys(
        ("pgbouncer", "statement_cache_size", "prepared_statement_cache_size"),
        "set DATABASE_POOLER=pgbouncer",
    ),
    **dict.fromkeys(
        ("search_path", "schema", "currentSchema"), "write options=-csearch_path%3Dname"
    ),
    **dict.fromkeys(
        ("service", "servicefile"), "write host, port, user and database of the service here"
    ),
    **dict.fromkeys(("ssl_mode", "ssl-mode", "SSLMODE"), "write sslmode"),
    **dict.fromkeys(("hostaddr", "unix_sock"), "write host"),
    "sslaccept": "write sslmode=verify-full for strict, sslmode=require for accept_invalid_certs",
    "user": "write it before the host, as in postgresql://user@host",
    "password": "set DATABASE_PASSWORD",
    "dbname": "write it after the host, as in //host:5432/name",
}


# Values of `ssl` and `sslmode` in other drivers.
_MEANT = {
    **dict.fromkeys(("true", "1", "yes", "on"), ("ssl=true", "sslmode=require")),
    **dict.fromkeys(("false", "0", "no", "off"), ("ssl=false", "sslmode=disable")),
    "no-verify": ("no-verify", "sslmode=require"),
}


def validate_parameters(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters with asyncpg's names. Raises ValueError for an invalid parameter."""
    query = dict(given)
    if repeated := sorted(k for k, v in query.items() if k != "host" and not isinstance(v, str)):
        raise ValueError(f"repeats {', '.join(repeated)}: keep one")
    if "sslmode" in query:
        if "ssl" in query:
            raise ValueError("has both ssl and sslmode: keep sslmode")
        query["ssl"] = query.pop("sslmode")
    _check_channel_binding(query.pop("channel_binding", "prefer"))
    if unknown := sorted(query.keys() - _KNOWN):
        advice = ", ".join(f"{name} ({_INSTEAD.get(name, 'remove it')})" for name in unknown)
        raise ValueError(f"has parameters that asyncpg does not support: {advice}")
    _check_mode(query.get("ssl"))
    if query.get("target_session_attrs", "any") not in _SESSIONS:
        raise ValueError(f"has unknown target_session_attrs: use one of {', '.join(_SESSIONS)}")
    if not query.get("command_timeout", "1").replace(".", "", 1).isdecimal():
        raise ValueError("has a command_timeout that is not a number of seconds")
    _check_tls(query)
    return query


def blank_parameters(text: str) -> list[str]:
    """Return the known parameters that have no value in a URL. SQLAlchemy ignores them."""
    given = text.rpartition("?")[2].split("&")
    known = sorted({*_KNOWN, *_INSTEAD, "sslmode", "channel_binding"})
    return [name for name in known if name in given or f"{name}=" in given]


def _check_mode(mode: str | None) -> None:
    if mode is None or mode in _MODES:
        return
    meant = _MEANT.get(mode.lower())
    advice = f" ({meant[0]} is {meant[1]})" if meant else ""
    raise ValueError(f"has an unknown sslmode: use one of {', '.join(_MODES)}{advice}")


def _check_channel_binding(value: Any) -> None:
    if value not in ("disable", "prefer"):
        raise ValueError(
            f"has channel_binding={'require' if value == 'require' else '…'}, which asyncpg does "
            "not support: remove it, and add sslmode=verify-full&sslrootcert=system to "
            "authenticate the server by its certificate"
        )


def _check_tls(query: dict[str, Any]) -> None:
    """Check TLS files and versions here: at connect, some errors look like a missing server."""
    for name in ("ssl_min_protocol_version", "ssl_max_protocol_version"):
        if query.get(name, "TLSv1.2") not in _VERSIONS:
            raise ValueError(f"has an unknown {name}: use one of {', '.join(_VERSIONS)}")
    is_optional = query.get("ssl") not in ("require", *_VERIFYING)
    if query.get("sslnegotiation", "postgres") not in ("postgres", "direct"):
        raise ValueError("has an unknown sslnegotiation: use one of postgres, direct")
    if query.get("sslnegotiation") == "direct" and is_optional:
        raise ValueError("has sslnegotiation=direct, which needs sslmode=require or verify-full")
    for name in _FILES:
        if query.get(name, "system") != "system" and not Path(query[name]).is_file():
            raise ValueError(f"has {name}, but the file does not exist: mount it, or fix the path")
    _load_certificates(query)
    if query.get("sslrootcert") == "system":
        paths = ssl.get_default_verify_paths()
        query["sslrootcert"] = paths.cafile or paths.openssl_cafile
        # Like libpq: a public CA signs certificates for any host, so check the host name too.
        if query.setdefault("ssl", "verify-full") != "verify-full":
            raise ValueError("has sslrootcert=system, which needs sslmode=verify-full")
    is_there = "sslrootcert" in query or "PGSSLROOTCERT" in os.environ
    if query.get("ssl") in _VERIFYING and not (is_there or _has_default_certificates()):
        raise ValueError(
            f"has sslmode={query['ssl']}, which needs trusted certificates: add sslrootcert=FILE, "
            "or sslrootcert=system for a certificate of a public CA"
        )


def _has_default_certificates() -> bool:
    try:
        return Path("~/.postgresql/root.crt").expanduser().is_file()
    except (OSError, RuntimeError):
        # The home directory is unknown or not accessible.
        return False


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
