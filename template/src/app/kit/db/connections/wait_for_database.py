"""Wait until the database accepts connections."""

import asyncio
import logging
import socket
import ssl
from dataclasses import dataclass
from time import monotonic

import asyncpg
from sqlalchemy import URL, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.kit.db.engine import build_migration_engine
from app.kit.db.settings import DatabaseSettings
from app.kit.errors.database_errors import driver_error
from app.kit.errors.problems import Unavailable

_log = logging.getLogger(__name__)

_PAUSE = 0.2
# asyncpg raises a plain ConnectionError. Only its text shows that the server has no TLS.
_NO_TLS = "rejected SSL upgrade"
_MAY_PASS = (
    "08",  # the pooler cannot reach the server
    "53300",  # too many connections
    "57P",  # the server is starting or stopping
)


class DatabaseUnreachable(Exception):
    """The database cannot be reached. The message has its address and the reason, no secrets."""


async def wait_for_database(settings: DatabaseSettings) -> None:
    """Wait until the database accepts connections, up to `startup_timeout` seconds (0: try once).

    Logs a warning when it starts to wait. Raises DatabaseUnreachable after the timeout, or
    immediately for permanent errors: a wrong password, an unknown database or host.
    """
    limit = settings.startup_timeout
    deadline = monotonic() + limit
    is_reported = False
    bounds = {"connect_timeout": min(settings.connect_timeout, settings.startup_timeout or 5)}
    engine = build_migration_engine(settings.model_copy(update=bounds), "waiting")
    try:
        while refusal := await probe_connection(engine):
            where = address(settings.sqlalchemy_url)
            if not refusal.may_pass:
                raise DatabaseUnreachable(
                    f"The database at {where} cannot be reached: {refusal.reason}."
                )
            if monotonic() + _PAUSE >= deadline:
                within = f" within {limit:g} s" if limit else ""
                raise DatabaseUnreachable(
                    f"The database at {where} cannot be reached{within}: {refusal.reason}."
                )
            if not is_reported:
                is_reported = True
                message = "Waiting up to %g seconds for the database at %s: %s."
                _log.warning(message, limit, where, refusal.reason)
            await asyncio.sleep(_PAUSE)
    finally:
        await engine.dispose()


def address(url: URL) -> str:
    """Return the host and port of a URL, without secrets."""
    host = url.host or url.query.get("host") or "localhost"
    port = url.port or url.query.get("port") or 5432
    # In a list of hosts, each host includes its port.
    return f"{host}:{port}" if isinstance(host, str) else ",".join(host)


@dataclass(frozen=True)
class ConnectionFailure:
    """The reason why a database cannot be reached, and whether a retry may succeed."""

    reason: str
    may_pass: bool


async def probe_connection(engine: AsyncEngine) -> ConnectionFailure | None:
    """Try to connect once. Return the reason for a failure, or None."""
    try:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
    except Unavailable as error:
        return network_failure(error.__cause__)
    except DBAPIError as error:
        driver = driver_error(error)
        code = getattr(driver, "sqlstate", None) or ""
        is_invalid = isinstance(driver, asyncpg.InternalClientError)
        return ConnectionFailure(str(driver), may_pass=code.startswith(_MAY_PASS) or is_invalid)
    return None


def network_failure(error: BaseException | None) -> ConnectionFailure:
    """Return the reason for a failed connection, without secrets."""
    match error:
        case ssl.SSLCertVerificationError():
            return ConnectionFailure(_certificate_problem(error), may_pass=False)
        case ssl.SSLError():
            return ConnectionFailure(f"the TLS handshake failed ({error.reason})", may_pass=False)
        case ConnectionError() if _NO_TLS in str(error):
            return ConnectionFailure(
                "the server has no TLS, which sslmode requires", may_pass=False
            )
        case socket.gaierror(errno=socket.EAI_AGAIN):
            return ConnectionFailure(
                "DNS cannot resolve the host name at the moment", may_pass=True
            )
        case socket.gaierror():
            return ConnectionFailure("the host name is unknown", may_pass=False)
        case TimeoutError():
            return ConnectionFailure("the connection timed out", may_pass=True)
        case ConnectionRefusedError() | FileNotFoundError():
            return ConnectionFailure("the connection was refused", may_pass=True)
        case _:
            return ConnectionFailure(
                "the connection was lost", may_pass=isinstance(error, ConnectionError)
            )


def _certificate_problem(error: ssl.SSLCertVerificationError) -> str:
    message = error.verify_message.rstrip(".")
    match error.verify_code:
        case 9:
            return "its TLS certificate is not valid yet: check the clocks of both machines"
        case 10:
            return "its TLS certificate has expired: renew it on the server"
        case 62 | 64:
            # OpenSSL's codes for a host name and an IP address.
            return (
                f"its TLS certificate is for another host ({message}): use the host name of the"
                " certificate, or sslmode=verify-ca to trust the certificate for any host"
            )
        case _:
            advice = "see sslrootcert and sslmode in the URL"
            return f"its TLS certificate is not trusted ({message}): {advice}"
