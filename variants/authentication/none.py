"""Authentication is disabled in this service: every endpoint is public."""

from collections.abc import Sequence
from typing import Any, Self

from fastapi import FastAPI
from fastapi.params import Depends
from pydantic_settings import BaseSettings
from starlette.types import ASGIApp

# structlog processors that add the caller to log events: none.
LOG_PROCESSORS: tuple[Any, ...] = ()


class AuthenticationSettings(BaseSettings):
    """Settings of authentication: none."""


class Authentication:
    """No authentication."""

    # Dependencies of every endpoint.
    dependencies: Sequence[Depends] = ()

    @classmethod
    def from_settings(cls, _settings: AuthenticationSettings) -> Self:
        """Return the authentication of a service."""
        return cls()

    def wrap(self, app: ASGIApp) -> ASGIApp:
        """Add no middleware."""
        return app

    def install(self, _app: FastAPI) -> None:
        """Add nothing to an application."""

    def describe(self, _app: FastAPI, _document: dict[str, Any]) -> None:
        """Add nothing to the OpenAPI schema of an application."""

    async def close(self) -> None:
        """Do nothing: no request to an identity provider can be running."""
