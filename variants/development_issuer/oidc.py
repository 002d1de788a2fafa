"""The development issuer of access tokens, which runs on this machine."""

from contextlib import AbstractContextManager, nullcontext

from app.kit.auth.development import development_issuer

__all__ = ["development_issuer", "issuer_for"]

# These commands start without an issuer: they are for production, or contact a running issuer.
_WITHOUT_ISSUER = ("serve", "doctor", "token")


def issuer_for(command: str | None, name: str) -> AbstractContextManager[str | None]:
    """Return the context of a command: `dev` starts an issuer, others get valid settings."""
    if command in _WITHOUT_ISSUER:
        return nullcontext()
    return development_issuer(name, start=command == "dev")
