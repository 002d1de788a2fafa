"""Callers of tests. Their tokens are from an issuer that runs in the test process."""

import atexit
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache
from typing import Any

from fastapi.routing import APIRoute, iter_route_contexts
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.about import NAME
from app.kit.auth.audit import SETTING, current_subject
from app.kit.auth.openapi import scopes_of
from app.registry import ROUTERS
from oidc_issuer import Issuer, running

# The subject of the default client.
TESTER = "tester"
# The headers of a request without a token.
ANONYMOUS = {"Authorization": ""}

_SET_CALLER = text("SELECT set_config(:name, :subject, true)")
_until_exit = ExitStack()
atexit.register(_until_exit.close)


@cache
def issuer() -> Issuer:
    """Return the issuer of this process; the first call starts it."""
    return _until_exit.enter_context(running(NAME))


def provider_settings() -> dict[str, Any]:
    """Return the settings of a service that accepts tokens of the issuer."""
    return {"issuer": issuer().url, "audience": [NAME]}


def bearer(subject: str, *scopes: str) -> dict[str, str]:
    """Return the headers of a request by this caller: `headers=bearer("alice", "posts:write")`."""
    return {"Authorization": f"Bearer {issuer().token(subject, ' '.join(scopes))}"}


@cache
def client_headers() -> dict[str, str]:
    """Return the headers of the default client, whose token has every scope of the service."""
    return bearer(TESTER, *sorted(set(_scopes())))


def _scopes() -> Iterator[str]:
    for router in ROUTERS:
        for route in iter_route_contexts(router.routes):
            if isinstance(route.original_route, APIRoute):
                yield from scopes_of(route.dependant)


async def set_caller(connection: AsyncConnection) -> None:
    """Set the caller in the test's transaction, whose BEGIN came before the request."""
    await connection.execute(_SET_CALLER, {"name": SETTING, "subject": current_subject() or ""})
