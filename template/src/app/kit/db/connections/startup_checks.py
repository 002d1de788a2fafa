"""Checks at startup: whether the database is reachable, and its encoding and connection limit."""

import asyncio
import logging
import socket
import ssl
from contextlib import suppress
from dataclasses import asdict, dataclass
from time import monotonic

import asyncpg
import structlog
from sqlalchemy import URL, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.kit.db.engine import build_migration_engine
from app.kit.db.session import Database
from app.kit.db.settings import DatabaseSettings
from app.kit.errors.database_errors import driver_error, sqlstate
from app.kit.errors.problems import Unavailable

# For `wait_for_database`: commands call it before they configure structlog.
_console = logging.getLogger(__name__)
_log = structlog.get_logger(__name__)

# Seconds between two attempts to connect.
_PAUSE = 0.2
# asyncpg raises a plain ConnectionError. Only its text shows that the server has no TLS.
_NO_TLS = "rejected SSL upgrade"
_OTHER_HOST = (
    "is for another host ({}): use the host name of the certificate, or sslmode=verify-ca to trust "
    "the certificate for any host"
)
# By OpenSSL's code.
_CERTIFICATE_PROBLEMS = {
    9: "is not valid yet: check the clocks of both machines",
    10: "has expired: renew it on the server",
    62: _OTHER_HOST,
    64: _OTHER_HOST,  # an IP address
}
_NOT_TRUSTED = "is not trusted ({}): see sslrootcert and sslmode in the URL"
# Errors (SQLSTATE prefixes) after which a retry may succeed.
_TEMPORARY = (
    "08",  # the pooler cannot reach the server
    "53300",  # too many connections
    "57P",  # the server is starting or stopping
)
_USE_UTF8 = "create a database with ENCODING 'UTF8' TEMPLATE template0, and copy it with pg_dump"
_USE_FEWER = "lower DATABASE_POOL_SIZE or DATABASE_PROCESSES, or use PgBouncer"
# Seconds. An unresponsive server must not delay the start of the service.
_LIMITS_TIMEOUT = 1.5
# `reserved_connections` is new in PostgreSQL 16.
_LIMITS = text("""
    SELECT current_setting('server_encoding') AS encoding,
           current_setting('max_connections')::int
         - current_setting('superuser_reserved_connections')::int
         - coalesce(current_setting('reserved_connections', true)::int, 0) AS connections
""")


class DatabaseUnreachable(Exception):
    """The database cannot be reached. The message has its address and the reason, no secrets."""


@dataclass(frozen=True)
class ConnectionFailure:
    """The reason why a database cannot be reached, and whether a retry may succeed."""

    reason: str
    is_temporary: bool = False


async def wait_for_database(settings: DatabaseSettings) -> None:
    """Wait until the database accepts connections, up to `startup_timeout` seconds (0: try once).

    Logs a warning when it starts to wait. Raises DatabaseUnreachable after the timeout, or
    immediately for permanent errors: a wrong password, an unknown database or host.
    """
    limit = settings.startup_timeout
    deadline = monotonic() + limit
    is_reported = False
    # One attempt takes at most as long as the whole wait, or 5 seconds if there is only one.
    shorter = {"connect_timeout": min(settings.connect_timeout, limit or 5)}
    # Most callers run migrations next. This engine has the same URL, and no pool.
    engine = build_migration_engine(settings.model_copy(update=shorter), "waiting")
    server = address(engine.url)
    variable = "DATABASE_MIGRATION_URL" if settings.migration_url else "DATABASE_URL"
    try:
        while failure := await probe_connection(engine):
            if not failure.is_temporary or monotonic() + _PAUSE >= deadline:
                within = f" within {limit:g} s" if limit and failure.is_temporary else ""
                advice = "Check that it is running, and" if failure.is_temporary else "Check"
                raise DatabaseUnreachable(
                    f"The database at {server} cannot be reached{within}: {failure.reason}. "
                    f"{advice} {variable}."
                )
            if not is_reported:
                is_reported = True
                message = "Waiting up to %g seconds for the database at %s: %s."
                _console.warning(message, limit, server, failure.reason)
            await asyncio.sleep(_PAUSE)
    finally:
        await engine.dispose()


def address(url: URL) -> str:
    """Return the host and port of a URL, without secrets."""
    host = url.host or url.query.get("host") or "localhost"
    port = url.port or url.query.get("port") or 5432
    # In a list of hosts, each host includes its port.
    return f"{host}:{port}" if isinstance(host, str) else ",".join(host)


async def probe_connection(engine: AsyncEngine) -> ConnectionFailure | None:
    """Try to connect once. Return the reason for a failure, or None."""
    try:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
    except Unavailable as error:
        return network_failure(error.__cause__)
    except DBAPIError as error:
        driver = driver_error(error)
        is_temporary = sqlstate(error).startswith(_TEMPORARY) or isinstance(
            driver, asyncpg.InternalClientError
        )
        return ConnectionFailure(str(driver), is_temporary)
    return None


def network_failure(error: BaseException | None) -> ConnectionFailure:
    """Return the reason for a failed connection, without secrets."""
    match error:
        case ssl.SSLCertVerificationError():
            message = error.verify_message.rstrip(".")
            problem = _CERTIFICATE_PROBLEMS.get(error.verify_code, _NOT_TRUSTED)
            return ConnectionFailure(f"its TLS certificate {problem.format(message)}")
        case ssl.SSLError():
            return ConnectionFailure(f"the TLS handshake failed ({error.reason})")
        case ConnectionError() if _NO_TLS in str(error):
            return ConnectionFailure("the server has no TLS, which sslmode requires")
        case socket.gaierror(errno=socket.EAI_AGAIN):
            reason = "DNS cannot resolve the host name at the moment"
        case socket.gaierror():
            return ConnectionFailure("the host name is unknown")
        case TimeoutError():
            reason = "the connection timed out"
        case ConnectionRefusedError() | FileNotFoundError():
            reason = "the connection was refused"
        case ConnectionError():
            reason = "the connection was lost"
        case _:  # no route to the host, or several addresses that all failed
            reason = "no address of the host accepts connections"
    return ConnectionFailure(reason, is_temporary=True)


@dataclass(frozen=True)
class Finding:
    """The result of a check. `advice` is None if it needs no action."""

    check: str
    result: str
    advice: str | None = None


async def check_server_settings(
    connection: AsyncConnection, settings: DatabaseSettings
) -> list[Finding]:
    """Check whether a server stores every character, and allows the connections of all processes.

    A process has two pools, one for writing and one for reading. Without a replica, both connect
    to the primary. The readiness check opens one more connection for some milliseconds, which is
    not counted. PgBouncer opens the server connections, and has its own limits.
    """
    limits = (await connection.execute(_LIMITS)).one()
    encoding, allowed = Finding("encoding", limits.encoding), limits.connections
    if limits.encoding != "UTF8":
        result = f"{limits.encoding}, so the database cannot store every character"
        encoding = Finding("encoding", result, _USE_UTF8)
    if settings.pooler == "pgbouncer":
        result = f"limited by the pooler: keep its pools below the {allowed} of the server"
        return [encoding, Finding("connections", result)]
    pools = (settings.pool_size + settings.max_overflow) * (1 if settings.replica_url else 2)
    total = settings.processes * pools
    result = f"{settings.processes} x {pools} = {total} at most, the server allows {allowed}"
    return [encoding, Finding("connections", result, _USE_FEWER if total > allowed else None)]


async def log_server_warnings(database: Database, settings: DatabaseSettings) -> None:
    """Log a warning for each finding of `check_server_settings` that needs action."""
    servers = {"primary": database.engine}
    if settings.replica_url:
        servers["replica"] = database.read_engine
    for server, engine in servers.items():
        # The service starts without a database: requests get status 503 until it is reachable.
        with suppress(SQLAlchemyError, Unavailable, TimeoutError):
            async with asyncio.timeout(_LIMITS_TIMEOUT), engine.connect() as connection:
                for found in await check_server_settings(connection, settings):
                    if found.advice:
                        _log.warning("database check", server=server, **asdict(found))
