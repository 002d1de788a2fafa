"""What an examination of the service finds."""

from enum import StrEnum
from typing import NamedTuple


class State(StrEnum):
    """How it is."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


class Finding(NamedTuple):
    """One thing that was looked at, and what to do where it is not well; never a secret."""

    state: State
    about: str
    found: str
    advice: str = ""


def ok(about: str, found: str) -> Finding:
    """It is well."""
    return Finding(State.OK, about, found)


def warning(about: str, found: str, advice: str) -> Finding:
    """The service works, and may not always."""
    return Finding(State.WARNING, about, found, advice)


def failure(about: str, found: str, advice: str) -> Finding:
    """The service does not work."""
    return Finding(State.FAILURE, about, found, advice)
