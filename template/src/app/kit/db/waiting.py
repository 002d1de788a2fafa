"""Waiting for a database that is still starting, before a command begins its work."""

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

from app.kit.db.conflicts import driver_error
from app.kit.db.engine import build_migration_engine
from app.kit.db.settings import DatabaseSettings
from app.kit.errors import Unavailable

_log = logging.getLogger(__name__)

_PAUSE = 0.2
# The driver raises a bare ConnectionError: only its text tells it from a broken connection.
_NO_TLS = "rejected SSL upgrade"
_MAY_PASS = (
    "08",  # the pooler cannot reach the server
    "53300",  # every connection is taken
    "57P",  # the server is starting or stopping
)


class DatabaseUnreachable(Exception):
    """The database cannot be reached; says where it was looked for and why not, no secret."""


async def wait_for_database(settings: DatabaseSettings) -> None:
    """Return once the database answers, within STARTUP_TIMEOUT; 0 tries once.

    Logs a warning when it begins to wait. Raises DatabaseUnreachable: after the timeout while the
    server may still be starting; immediately where waiting cannot help, for a wrong password or an
    unknown database or host.
    """
    limit = settings.startup_timeout
    deadline = monotonic() + limit
    is_reported = False
    bounds = {"connect_timeout": min(settings.connect_timeout, settings.startup_timeout or 5)}
    engine = build_migration_engine(settings.model_copy(update=bounds), "waiting")
    try:
        while refusal := await look_for_refusal(engine):
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
    """Where the URL leads, without anything that is secret in it."""
    host = url.host or url.query.get("host") or "localhost"
    port = url.port or url.query.get("port") or 5432
    # Each of several hosts has its port.
    return f"{host}:{port}" if isinstance(host, str) else ",".join(host)


@dataclass(frozen=True)
class Refusal:
    """Why a database cannot be reached, and whether it is worth to try again."""

    reason: str
    may_pass: bool


async def look_for_refusal(engine: AsyncEngine) -> Refusal | None:
    """Try once whether the database answers; None where it does."""
    try:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
    except Unavailable as error:
        return network_refusal(error.__cause__)
    except DBAPIError as error:
        driver = driver_error(error)
        code = getattr(driver, "sqlstate", None) or ""
        is_confused = isinstance(driver, asyncpg.InternalClientError)
        return Refusal(str(driver), may_pass=code.startswith(_MAY_PASS) or is_confused)
    return None


def network_refusal(error: BaseException | None) -> Refusal:
    """Return why no connection was made, in words without a secret."""
    match error:
        case ssl.SSLCertVerificationError():
            return Refusal(_certificate_problem(error), may_pass=False)
        case ssl.SSLError():
            return Refusal(f"the TLS handshake failed ({error.reason})", may_pass=False)
        case ConnectionError() if _NO_TLS in str(error):
            return Refusal("the server has no TLS, which sslmode requires", may_pass=False)
        case socket.gaierror(errno=socket.EAI_AGAIN):
            return Refusal("DNS cannot resolve its host name at the moment", may_pass=True)
        case socket.gaierror():
            return Refusal("its host name is unknown", may_pass=False)
        case TimeoutError():
            return Refusal("it does not answer", may_pass=True)
        case ConnectionRefusedError() | FileNotFoundError():
            return Refusal("nothing listens there", may_pass=True)
        case _:
            return Refusal("the connection breaks", may_pass=isinstance(error, ConnectionError))


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
                f"its TLS certificate is for another host ({message}): write the host as in the"
                " certificate, or sslmode=verify-ca to trust the certificate for any host"
            )
        case _:
            advice = "see sslrootcert and sslmode in the URL"
            return f"its TLS certificate is not trusted ({message}): {advice}"
