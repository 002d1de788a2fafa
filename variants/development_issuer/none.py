"""The development issuer of access tokens: none, because every endpoint is public."""

from contextlib import AbstractContextManager, nullcontext


def development_issuer(_name: str, *, start: bool = True) -> AbstractContextManager[str | None]:
    """Return a context without an issuer."""
    del start
    return nullcontext()


def issuer_for(_command: str | None, _name: str) -> AbstractContextManager[str | None]:
    """Return a context without an issuer, for any command."""
    return nullcontext()
