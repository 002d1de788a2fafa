"""Authentication by OpenID Connect: every endpoint needs a caller, unless it is public."""

from typing import Any

from pydantic import Field
from pydantic_settings import BaseSettings

from app.kit.auth.authentication import BearerAuthentication
from app.kit.auth.caller import current_caller
from app.kit.auth.settings import AuthSettings


class AuthenticationSettings(BaseSettings):
    """Settings of authentication."""

    # Empty by default, so that the error names the missing variable, AUTH_ISSUER.
    auth: AuthSettings = Field(default={}, validate_default=True)


class Authentication(BearerAuthentication):
    """The authentication of a service."""

    @classmethod
    def from_settings(cls, settings: AuthenticationSettings) -> "Authentication":
        """Return the authentication of a service."""
        return cls(settings.auth)


def _add_subject(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    if caller := current_caller():
        event["subject"] = caller.log_subject
    return event


# structlog processors that add the caller to log events.
LOG_PROCESSORS: tuple[Any, ...] = (_add_subject,)
