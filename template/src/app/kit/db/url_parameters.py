"""The parameters of a database URL: which ones asyncpg honours, and what to do for the others."""

import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_SESSIONS = ("any", "primary", "standby", "read-write", "read-only", "prefer-standby")
_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
_KNOWN = {
    *_FILES,
    *("ssl", "sslpassword", "sslnegotiation", "ssl_min_protocol_version"),
    *("ssl_max_protocol_version", "host", "port", "passfile", "options", "timeout"),
    *("command_timeout", "target_session_attrs"),
}
# What PostgreSQL's own clients and other drivers take, and where it is set here.
_INSTEAD = {
    "application_name": "set DATABASE_APPLICATION_NAME",
    "connect_timeout": "set DATABASE_CONNECT_TIMEOUT",
    "statement_timeout": "set DATABASE_STATEMENT_TIMEOUT",
    "lock_timeout": "set DATABASE_LOCK_TIMEOUT",
    "idle_in_transaction_session_timeout": "set DATABASE_IDLE_IN_TRANSACTION_TIMEOUT",
    "pgbouncer": "set DATABASE_POOLER=pgbouncer",
    "search_path": "write options=-csearch_path%3Dname",
    "schema": "write options=-csearch_path%3Dname",
    "currentSchema": "write options=-csearch_path%3Dname",
    "sslaccept": "write sslmode=verify-full for strict, sslmode=require for accept_invalid_certs",
    "user": "write it before the host, as in postgresql://user@host",
    "password": "set DATABASE_PASSWORD",
    "dbname": "write it after the host, as in //host:5432/name",
}


def checked_parameters(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters by asyncpg's names, or raise `ValueError`."""
    query = dict(given)
    if "sslmode" in query:
        if "ssl" in query:
            raise ValueError("has both ssl and sslmode: keep sslmode")
        query["ssl"] = query.pop("sslmode")
    _check_channel_binding(query.pop("channel_binding", "prefer"))
    if unknown := sorted(query.keys() - _KNOWN):
        told = ", ".join(f"{name} ({_INSTEAD.get(name, 'remove it')})" for name in unknown)
        raise ValueError(f"has parameters that asyncpg does not take: {told}")
    if repeated := sorted(k for k, v in query.items() if k != "host" and not isinstance(v, str)):
        raise ValueError(f"repeats {', '.join(repeated)}")
    mode = query.get("ssl")
    if mode is not None and mode not in _MODES:
        advice = " (ssl=true is sslmode=require)" if mode.lower() in ("true", "1", "yes") else ""
        raise ValueError(f"has an unknown sslmode: it is one of {', '.join(_MODES)}{advice}")
    if query.get("target_session_attrs", "any") not in _SESSIONS:
        raise ValueError(f"has unknown target_session_attrs: one of {', '.join(_SESSIONS)}")
    _check_certificates(query)
    return query


def _check_channel_binding(value: Any) -> None:
    if value not in ("disable", "prefer"):
        raise ValueError(
            f"has channel_binding={'require' if value == 'require' else '…'}, which asyncpg does "
            "not have: remove it, and write sslmode=verify-full to authenticate the server"
        )


def _check_certificates(query: dict[str, Any]) -> None:
    """Check that files exist: at connect a missing one looks like a missing server."""
    if query.get("sslrootcert") == "system":
        paths = ssl.get_default_verify_paths()
        query["sslrootcert"] = paths.cafile or paths.openssl_cafile
        # As in libpq: a certificate of a public authority says nothing without the host's name.
        if query.setdefault("ssl", "verify-full") != "verify-full":
            raise ValueError("has sslrootcert=system, which needs sslmode=verify-full")
    for name in _FILES:
        if name in query and not Path(query[name]).is_file():
            raise ValueError(f"has {name}, which is not a file here: mount it, or correct the path")
    default = Path("~/.postgresql/root.crt").expanduser()
    is_there = "sslrootcert" in query or os.environ.get("PGSSLROOTCERT") or default.is_file()
    if query.get("ssl") in ("verify-ca", "verify-full") and not is_there:
        raise ValueError(
            f"has sslmode={query['ssl']}, which needs certificates to trust: add sslrootcert=FILE, "
            "or sslrootcert=system for a certificate of a public authority"
        )
