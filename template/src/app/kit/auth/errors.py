"""Errors of authentication and authorization, with the challenges of RFC 6750."""

from collections.abc import Iterable
from http import HTTPStatus

from starlette.exceptions import HTTPException

from app.kit.errors.problems import Forbidden

__all__ = ["Forbidden", "InsufficientScope", "Unauthenticated"]


class Unauthenticated(HTTPException):
    """The request has no valid token. `reason` is None if it has none at all."""

    def __init__(self, reason: str | None = None) -> None:
        challenge = "Bearer"
        if reason:
            challenge += f' error="invalid_token", error_description="{reason}"'
        super().__init__(
            HTTPStatus.UNAUTHORIZED,
            reason or "This endpoint needs a token in the Authorization header.",
            {"WWW-Authenticate": challenge},
        )


class InsufficientScope(HTTPException):
    """The token is valid, but has not all scopes of the endpoint."""

    def __init__(self, scopes: Iterable[str]) -> None:
        required = " ".join(scopes)
        super().__init__(
            HTTPStatus.FORBIDDEN,
            f"The token needs these scopes: {required}",
            {"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{required}"'},
        )
