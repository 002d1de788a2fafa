"""Findings of `doctor`."""

from enum import StrEnum
from typing import NamedTuple


class State(StrEnum):
    """The state of what was checked."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


class Finding(NamedTuple):
    """One check, and what to do unless it is ok; contains no secret."""

    state: State
    about: str
    found: str
    advice: str = ""


def ok(about: str, found: str) -> Finding:
    """Nothing to do."""
    return Finding(State.OK, about, found)


def warning(about: str, found: str, advice: str) -> Finding:
    """The service works now, and may fail later."""
    return Finding(State.WARNING, about, found, advice)


def failure(about: str, found: str, advice: str) -> Finding:
    """The service does not work."""
    return Finding(State.FAILURE, about, found, advice)
