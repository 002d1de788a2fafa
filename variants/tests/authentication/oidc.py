"""Authentication in tests: clients are signed in at an issuer that runs in the test process."""

from typing import Any

from tests.support.auth import client_headers, provider_settings, set_caller

__all__ = ["STATEMENTS", "auth_settings", "auth_variables", "client_headers", "set_caller"]

# Statements of authentication, which tests do not count.
STATEMENTS = ("SELECT set_config(",)


def auth_settings() -> dict[str, Any]:
    """Return the settings of a service that accepts tokens of the issuer."""
    return {"auth": provider_settings()}


def auth_variables() -> dict[str, str]:
    """Return the environment variables of a service that accepts tokens of the issuer."""
    provider = provider_settings()
    return {"AUTH_ISSUER": provider["issuer"], "AUTH_AUDIENCE": provider["audience"][0]}
