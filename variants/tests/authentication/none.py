"""Authentication in tests: none, because every endpoint is public."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

# Statements of authentication, which tests do not count.
STATEMENTS: tuple[str, ...] = ()


def auth_settings() -> dict[str, Any]:
    """Return no settings."""
    return {}


def auth_variables() -> dict[str, str]:
    """Return no environment variables."""
    return {}


def client_headers() -> dict[str, str]:
    """Return no headers."""
    return {}


async def set_caller(_connection: AsyncConnection) -> None:
    """Do nothing: requests have no caller."""
